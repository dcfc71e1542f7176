"""Level and spectrum of a stream, several times a second, for as long as somebody watches."""

import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import BANDS, HOP, SAMPLE_RATE, WINDOW, FrontEnd
from streamtag.audio.levels import levels_dbfs
from streamtag.wire.messages import LevelsHeader, Outgoing, levels_payload

__all__ = ["LevelMeter"]

_FRAMES: Final = 12
_STEP: Final = _FRAMES * HOP
_OVERLAP: Final = WINDOW - HOP
_BURST: Final = 40.0
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
        self._samples = np.empty(_STEP + _OVERLAP, np.float32)
        self._columns = np.empty((_FRAMES, BANDS), np.float32)
        self._filled = 0
        self._next = -1
        # A recording read faster than real time would flood whoever watches; lumps of a network stream are no flood.
        self._allowance = _BURST
        self._last = time.monotonic()

    def add_samples(self, start: int, samples: NDArray[np.float32], captured: float) -> None:
        """Take in float32 [n] at 16 kHz.

        Args:
            start: Index of the first sample at 16 kHz; a jump is lost audio.
            samples: Mono, in [-1, 1].
            captured: Unix seconds at which the last sample was captured.
        """
        if not self._is_watched(self._stream):
            self._next = -1
            return
        if start != self._next:
            self._filled = 0
        self._next = start + len(samples)
        used = 0
        while used < len(samples):
            count = min(len(self._samples) - self._filled, len(samples) - used)
            self._samples[self._filled : self._filled + count] = samples[used : used + count]
            self._filled += count
            used += count
            if self._filled == len(self._samples):
                self._tell(start + used - self._filled, captured - (len(samples) - used) / SAMPLE_RATE)
                self._samples[:_OVERLAP] = self._samples[_STEP:]
                self._filled = _OVERLAP

    def _tell(self, start: int, captured: float) -> None:
        now = time.monotonic()
        self._allowance = min(_BURST, self._allowance + _PER_SECOND * (now - self._last))
        self._last = now
        if self._allowance < 1.0:
            return
        self._allowance -= 1.0
        if self._front_end is None:
            self._front_end = FrontEnd(_FRAMES)
        self._front_end.log_mel(self._samples, self._columns)
        rms, peak = levels_dbfs(self._samples[:_STEP])
        header = LevelsHeader(
            time=captured,
            stream=self._stream,
            start=start / SAMPLE_RATE,
            end=(start + _STEP) / SAMPLE_RATE,
            rms_dbfs=rms,
            peak_dbfs=peak,
            frames=_FRAMES,
            bands=BANDS,
        )
        self._publish([Outgoing(header, levels_payload(self._columns))])
