"""A stream's sound cut into chunks of one length, for what is made of it while somebody asks for that."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamtag.token_bucket import TokenBucket

__all__ = ["Chunk", "Chunks"]

_BURST = 40.0


class Chunk(NamedTuple):
    """A stretch of sound without a hole.

    Attributes:
        start: Index of the first sample.
        samples: float32 [n], valid until the next chunk is asked for.
        time: Unix seconds at which the last sample was captured.
    """

    start: int
    samples: NDArray[np.float32]
    time: float


class Chunks:
    """Cuts sound into chunks, no more a second than whoever asks for them can use.

    A recording read faster than real time would flood whoever watches; lumps of a network stream are no flood.
    """

    def __init__(self, samples: int, rate: int, per_second: float, overlap: int = 0) -> None:
        """Begin with nothing.

        Args:
            samples: Of a chunk, those included that it has in common with the one before.
            rate: Samples a second.
            per_second: Chunks a second that are given for long; more than real time.
            overlap: How many samples a chunk has in common with the one before.
        """
        self._buffer = np.empty(samples, np.float32)
        self._rate = rate
        self._overlap = overlap
        self._filled = 0
        self._next = -1
        self._allowed = TokenBucket(_BURST, per_second)

    def reset(self) -> None:
        """Begin anew with what comes next."""
        self._next = -1

    def feed(self, start: int, samples: NDArray[np.float32], captured: float) -> Iterator[Chunk]:
        """Take in float32 [n] and yield the chunks that are complete with it.

        Args:
            start: Index of the first sample; a jump is lost audio, and begins a chunk anew.
            samples: Mono, in [-1, 1].
            captured: Unix seconds at which the last sample was captured.
        """
        if start != self._next:
            self._filled = 0
        self._next = start + len(samples)
        used, size = 0, len(self._buffer)
        while used < len(samples):
            count = min(size - self._filled, len(samples) - used)
            self._buffer[self._filled : self._filled + count] = samples[used : used + count]
            self._filled += count
            used += count
            if self._filled < size:
                return
            if self._allowed.spend():
                yield Chunk(start + used - size, self._buffer, captured - (len(samples) - used) / self._rate)
            self._buffer[: self._overlap] = self._buffer[size - self._overlap :]
            self._filled = self._overlap
