"""From a recording to its row."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streamtag.archive.inputs import State, state_of
from streamtag.errors import InputError, SourceError
from streamtag.events import Event
from streamtag.tag_results import Part, within
from streamtag.tagging import CrashError, TaggingPool

__all__ = ["Row", "tag"]

_MOST_SECONDS: Final = 7 * 86_400.0
"""So much of a recording is taken, for its scores are in memory until they are written, and a byte may be a year."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What an archive says of one recording."""

    path: str
    state: State
    """As it was when it was tagged; None for both where it could not be read, which is tried again by the next run."""
    seconds: float | None = None
    scores: NDArray[np.float16] | None = None
    """float16 [patches, labels]; None where it could not be tagged."""
    events: tuple[Event, ...] = ()
    embedding: NDArray[np.float32] | None = None
    """float32 [d]: the mean over all patches."""
    error: str | None = None
    notes: tuple[str, ...] = ()
    """What was wrong with it though it could be tagged."""

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory."""
        return 1000 + (0 if self.scores is None else self.scores.nbytes) + 200 * len(self.events)


def tag(pool: TaggingPool, path: str, *, embeds: bool) -> Row:
    """Tag a recording; whatever befalls it is in its row.

    Raises:
        BundleError, RuntimeUnavailableError: the model cannot be opened.
    """
    state = state_of(path)
    try:
        try:
            return _row(path, state, pool.parts(path, max_seconds=_MOST_SECONDS, embeds=embeds))
        except CrashError:  # the system may have ended it for the memory that others took
            return _row(path, state, pool.parts(path, max_seconds=_MOST_SECONDS, embeds=embeds))
    except (SourceError, InputError) as error:
        told = str(error).removeprefix("file:").removeprefix(f"{path}: ")
        return Row(path, state if _can_be_read(path) else State(None, None), error=told)


def _row(path: str, state: State, parts: Iterator[Part]) -> Row:
    scores: list[NDArray[np.float16]] = []
    events: list[Event] = []
    notes: list[str] = []
    total: Any = 0.0
    seconds = 0.0
    for part in parts:
        scores.append(part.patches.astype(np.float16))
        events += part.events
        notes += part.notes
        seconds = part.seconds
        if part.embeddings is not None:
            total = total + part.embeddings.sum(axis=0, dtype=np.float64)
    rows: Any = np.concatenate(scores)
    ended = sorted((within(event, seconds) for event in events), key=lambda event: (event.onset, event.id))
    mean = (total / len(rows)).astype(np.float32) if np.ndim(total) else None
    return Row(path, state, seconds, rows, tuple(ended), mean, notes=tuple(notes))


def _can_be_read(path: str) -> bool:
    with suppress(OSError, ValueError), open(path, "rb") as file:
        os.read(file.fileno(), 1)
        return True
    return False
