"""Embeddings as a history keeps them: what the network heard, short enough to keep many."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["EMPTY", "Embedding", "Heard", "StoredEmbeddings", "lengthened", "shortened"]

_GREATEST: Final = 127


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """What the network made of one window of a stream.

    Attributes:
        stream: The stream's name.
        time: Unix seconds at which the window begins.
        embedder: Hash of what made it: see `streamtag.bundle.Bundle.embedder`.
        vector: float32 [d].
        token: The event's that it began, None where it stands for the rest.
    """

    stream: str
    time: float
    embedder: str
    vector: NDArray[np.float32]
    token: int | None = None


class Heard(NamedTuple):
    """One embedding that is kept: its stream, Unix seconds, hash of what made it, and float32 [d]."""

    stream: str
    time: float
    embedder: str
    vector: NDArray[np.float32]


class StoredEmbeddings(NamedTuple):
    """Embeddings that one model made, row by row, oldest first.

    Attributes:
        ids: int64 [n], the history's number of each.
        streams: Each one's stream.
        times: float64 [n], Unix seconds at which each one's window begins.
        events: The history's number of the event that each began, 0 where it stands for the rest.
        vectors: int8 [n, d].
        scales: float32 [n]; a vector times its scale is the embedding, to half a scale.
    """

    ids: NDArray[np.int64]
    streams: list[str]
    times: NDArray[np.float64]
    events: NDArray[np.int64]
    vectors: NDArray[np.int8]
    scales: NDArray[np.float32]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.ids)

    def rows(self, which: "NDArray[np.intp] | slice") -> NDArray[np.float32]:
        """Return some of the embeddings, float32 [m, d]."""
        whole: NDArray[np.float32] = self.vectors[which] * self.scales[which, np.newaxis]
        return whole


EMPTY: Final = StoredEmbeddings(
    np.empty(0, np.int64), [], np.empty(0), np.empty(0, np.int64), np.empty((0, 0), np.int8), np.empty(0, np.float32)
)
"""None at all."""


def shortened(vector: NDArray[np.float32]) -> tuple[float, NDArray[np.int8]]:
    """Return a scale and int8 [d], which times the scale is the vector, to half a scale.

    Args:
        vector: float32 [d], finite.
    """
    scale = float(np.abs(vector).max(initial=0.0)) / _GREATEST or 1.0
    return scale, np.rint(vector / scale).astype(np.int8)


def lengthened(scale: float, vector: bytes) -> NDArray[np.float32]:
    """Return the embedding, float32 [d], of what `shortened` made of it."""
    return np.frombuffer(vector, np.int8) * np.float32(scale)
