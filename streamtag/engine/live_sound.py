"""A stream's sound, for as long as somebody listens to it and where the configuration allows that."""

import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import SAMPLE_RATE
from streamtag.wire.messages import AudioHeader, Outgoing, audio_payload

__all__ = ["LiveSound"]

_CHUNK_SECONDS: Final = 0.24
_BURST: Final = 40.0
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
        self._chunk = np.empty(round(_CHUNK_SECONDS * rate), np.float32)
        self._filled = 0
        self._next = -1
        self._allowance = _BURST
        self._last = time.monotonic()

    def add_samples(self, start: int, samples: NDArray[np.float32], captured: float) -> None:
        """Take in float32 [n].

        Args:
            start: Index of the first sample; a jump is lost audio.
            samples: Mono, in [-1, 1].
            captured: Unix seconds at which the last sample was captured.
        """
        if not self._is_wanted(self._stream):
            self._next = -1
            return
        if start != self._next:
            self._filled = 0
        self._next = start + len(samples)
        used = 0
        while used < len(samples):
            count = min(len(self._chunk) - self._filled, len(samples) - used)
            self._chunk[self._filled : self._filled + count] = samples[used : used + count]
            self._filled += count
            used += count
            if self._filled == len(self._chunk):
                self._tell(start + used, captured - (len(samples) - used) / self._rate)
                self._filled = 0

    def _tell(self, end: int, captured: float) -> None:
        now = time.monotonic()
        self._allowance = min(_BURST, self._allowance + _PER_SECOND * (now - self._last))
        self._last = now
        if self._allowance < 1.0:
            return
        self._allowance -= 1.0
        header = AudioHeader(
            time=captured,
            stream=self._stream,
            start=(end - len(self._chunk)) / self._rate,
            end=end / self._rate,
            rate=self._rate,
            samples=len(self._chunk),
        )
        self._publish([Outgoing(header, audio_payload(self._chunk))])
