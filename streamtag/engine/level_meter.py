"""Level and spectrum of a stream, several times a second, for as long as somebody watches."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import BANDS, HOP, SAMPLE_RATE, WINDOW, FrontEnd
from streamtag.audio.levels import levels_dbfs
from streamtag.engine.chunks import Chunk, Chunks
from streamtag.wire.messages import LevelsHeader, Outgoing, levels_payload

__all__ = ["LevelMeter"]

_FRAMES: Final = 12
_STEP: Final = _FRAMES * HOP
_OVERLAP: Final = WINDOW - HOP
_PER_SECOND: Final = 20.0


class LevelMeter:
    """Makes a stream's messages of kind "levels", one for 0.12 s; used by the thread that brings the sound."""

    def __init__(
        self, stream: str, publish: Callable[[list[Outgoing]], None], is_watched: Callable[[str], bool]
    ) -> None:
        """Prepare for a stream.

        Args:
            stream: Its name.
            publish: Where messages go.
            is_watched: Whether anybody asks for this stream's levels; they are not even computed otherwise.
        """
        self._stream = stream
        self._publish = publish
        self._is_watched = is_watched
        self._front_end: FrontEnd | None = None
        self._columns = np.empty((_FRAMES, BANDS), np.float32)
        self._chunks = Chunks(_STEP + _OVERLAP, SAMPLE_RATE, _PER_SECOND, _OVERLAP)

    def add_samples(self, start: int, samples: NDArray[np.float32], captured: float) -> None:
        """Take in float32 [n] at 16 kHz.

        Args:
            start: Index of the first sample at 16 kHz; a jump is lost audio.
            samples: Mono, in [-1, 1].
            captured: Unix seconds at which the last sample was captured.
        """
        if not self._is_watched(self._stream):
            self._chunks.reset()
            return
        for chunk in self._chunks.feed(start, samples, captured):
            self._publish([self._levels(chunk)])

    def _levels(self, chunk: Chunk) -> Outgoing:
        if self._front_end is None:
            self._front_end = FrontEnd(_FRAMES)
        self._front_end.log_mel(chunk.samples, self._columns)
        rms, peak = levels_dbfs(chunk.samples[:_STEP])
        header = LevelsHeader(
            time=chunk.time,
            stream=self._stream,
            start=chunk.start / SAMPLE_RATE,
            end=(chunk.start + _STEP) / SAMPLE_RATE,
            rms_dbfs=rms,
            peak_dbfs=peak,
            frames=_FRAMES,
            bands=BANDS,
        )
        return Outgoing(header, levels_payload(self._columns))
