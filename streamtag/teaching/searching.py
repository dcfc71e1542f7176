"""The moments of a history that are most like an example, or that a taught label finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamtag.heads import Examples, Head, HeadError
from streamtag.history import HistoryReader, StoredEmbeddings, StoredEvent

__all__ = ["Found", "examples_of_event", "examples_of_moments", "search", "search_by_head"]

_AT_ONCE: Final = 16_384
"""Rows that are made float32 at a time."""
_APART_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Found:
    """A moment of a history that is like what was looked for."""

    id: int
    """The history's number of its embedding."""
    stream: str
    time: float
    """Unix seconds at which the moment begins; it lasts a window of the model, mostly 0.96 s."""
    likeness: float
    """The cosine of the angle between embeddings, -1 to 1; of a taught label its score, 0 to 1."""
    event: StoredEvent | None
    """What began there; None where it stands for the rest."""


def search(
    examples: Examples,
    history: Path,
    embedder: str,
    *,
    top: int = 10,
    stream: str = "",
    since: float | None = None,
    until: float | None = None,
) -> list[Found]:
    """Return the moments that are most like any of the examples, likest first; of neighbours the likest alone.

    Args:
        examples: windows of what is looked for, one at least.
        history: the history's file, which keeps embeddings.
        embedder: what made the examples' embeddings: see `Bundle.embedder`.
        top: the most that are returned.
        stream: of this stream alone.
        since: Unix seconds of the earliest.
        until: Unix seconds of the latest.

    Raises:
        HistoryError: there is no history, or it cannot be read.
        HeadError: it keeps no embeddings of this model, or there is no example.
    """
    if not len(examples.sources):
        raise HeadError("there is nothing to look for: every example is silent")
    kept = _kept(history, embedder, stream, since, until)
    wanted = _directions(examples.vectors, kept)
    likeness = np.concatenate([(_directions(rows, kept) @ wanted.T).max(axis=1) for rows in _parts(kept)])
    return _best(history, kept, likeness, top)


def search_by_head(
    head: Head,
    history: Path,
    *,
    top: int = 10,
    stream: str = "",
    since: float | None = None,
    until: float | None = None,
) -> list[Found]:
    """Return the moments that a taught label scores highest, as `search` does.

    Raises:
        HistoryError, HeadError: as `search`.
    """
    kept = _kept(history, head.embedder, stream, since, until)
    return _best(history, kept, np.concatenate([head.score(rows) for rows in _parts(kept)]), top)


def examples_of_event(history: Path, event: int, embedder: str) -> Examples:
    """Return what began an event, for "more like this"; none where the history kept no embedding of it.

    Raises:
        HistoryError: there is no history, or it cannot be read.
    """
    kept = HistoryReader(history).embeddings(embedder, event=event)
    return _examples(kept, np.arange(len(kept)))


def examples_of_moments(history: Path, ids: Sequence[int], embedder: str) -> Examples:
    """Return the moments with the numbers that `Found` gives; those that are not kept any more are left out.

    Raises:
        HistoryError: there is no history, or it cannot be read.
    """
    kept = HistoryReader(history).embeddings(embedder, ids=ids)
    return _examples(kept, np.arange(len(kept)))


def _examples(kept: StoredEmbeddings, rows: NDArray[np.intp]) -> Examples:
    if not len(kept):
        return Examples.none()
    # Moments of a stream that follow each other say the same: they count as one recording.
    sources = [f"{kept.streams[row]} {int(kept.times[row] // 60)}" for row in rows.tolist()]
    return Examples(kept.rows(rows), sources)


def _kept(history: Path, embedder: str, stream: str, since: float | None, until: float | None) -> StoredEmbeddings:
    kept = HistoryReader(history).embeddings(embedder, stream=stream, since=since, until=until)
    if not len(kept):
        raise HeadError(
            f"{history}: it keeps no embeddings of this model from that time: set [history] embeddings = true, and "
            "wait for something to be heard"
        )
    return kept


def _parts(kept: StoredEmbeddings) -> list[NDArray[np.float32]]:
    return [kept.rows(slice(first, first + _AT_ONCE)) for first in range(0, len(kept), _AT_ONCE)]


def _directions(vectors: NDArray[np.float32], kept: StoredEmbeddings) -> NDArray[np.float32]:
    """Return vectors of length 1, seen from the middle of what is mostly heard: all sounds are alike seen from 0."""
    middle = kept.rows(slice(None, None, max(1, len(kept) // 1000))).mean(axis=0)
    seen = vectors - middle
    lengths = np.linalg.norm(seen, axis=1, keepdims=True)
    directions: NDArray[np.float32] = seen / np.maximum(lengths, np.float32(1e-9))
    return directions


def _best(history: Path, kept: StoredEmbeddings, likeness: NDArray[np.float32], top: int) -> list[Found]:
    taken: list[int] = []
    for row in np.argsort(-likeness, kind="stable").tolist():
        is_neighbour = any(
            kept.streams[row] == kept.streams[each] and abs(kept.times[row] - kept.times[each]) < _APART_SECONDS
            for each in taken
        )
        if not is_neighbour:
            taken.append(row)
        if len(taken) >= top:
            break
    reader = HistoryReader(history)
    events = {row: reader.event(int(kept.events[row])) if kept.events[row] else None for row in taken}
    return [
        Found(int(kept.ids[row]), kept.streams[row], float(kept.times[row]), float(likeness[row]), events[row])
        for row in taken
    ]
