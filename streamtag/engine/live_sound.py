"""A stream's sound, for as long as somebody listens to it and where the configuration allows that."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import SAMPLE_RATE
from streamtag.engine.chunks import Chunk, Chunks
from streamtag.wire.messages import AudioHeader, Outgoing, audio_payload

__all__ = ["LiveSound"]

_CHUNK_SECONDS: Final = 0.24
_PER_SECOND: Final = 8.0
"""Messages: somewhat more than real time, and all of a lump of a network stream."""


class LiveSound:
    """Makes a stream's messages of kind "audio", one for 0.24 s; used by the thread that brings the sound."""

    def __init__(
        self,
        stream: str,
        publish: Callable[[list[Outgoing]], None],
        is_wanted: Callable[[str], bool],
        rate: int = SAMPLE_RATE,
    ) -> None:
        """Prepare for a stream.

        Args:
            stream: Its name.
            publish: Where messages go.
            is_wanted: Whether anybody may and does listen to this stream.
            rate: Samples a second.
        """
        self._stream = stream
        self._publish = publish
        self._is_wanted = is_wanted
        self._rate = rate
        self._chunks = Chunks(round(_CHUNK_SECONDS * rate), rate, _PER_SECOND)

    def add_samples(self, start: int, samples: NDArray[np.float32], captured: float) -> None:
        """Take in float32 [n].

        Args:
            start: Index of the first sample; a jump is lost audio.
            samples: Mono, in [-1, 1].
            captured: Unix seconds at which the last sample was captured.
        """
        if not self._is_wanted(self._stream):
            self._chunks.reset()
            return
        for chunk in self._chunks.feed(start, samples, captured):
            self._publish([self._audio(chunk)])

    def _audio(self, chunk: Chunk) -> Outgoing:
        count = len(chunk.samples)
        header = AudioHeader(
            time=chunk.time,
            stream=self._stream,
            start=chunk.start / self._rate,
            end=(chunk.start + count) / self._rate,
            rate=self._rate,
            samples=count,
        )
        return Outgoing(header, audio_payload(chunk.samples))
