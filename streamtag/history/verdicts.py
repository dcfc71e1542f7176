"""What people say of events: right or wrong.

The service's writer makes the file, changes its form and removes what is old; the lock of `lock.py` keeps it the only
one to do so. Verdicts are the exception: whoever may write the file adds them, in one short transaction, whether a
service runs or not. They are whole by themselves and outlive the events that they are of.
"""

import sqlite3
import time as clock
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streamtag.errors import HistoryError
from streamtag.history.embeddings import lengthened, shortened
from streamtag.history.event_ids import event_id
from streamtag.history.layout import LEARNS, opened_to_read

__all__ = ["Verdict", "read_verdicts", "withdraw_verdict", "write_verdict"]

_LOCK_SECONDS: Final = 5.0
_MOST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody said of an event, or of a moment that was none."""

    stream: str
    label: str
    time: float
    """Unix seconds of the onset, or of the moment."""
    is_right: bool
    """Whether the label is heard there."""
    who: str
    given: float
    """Unix seconds at which it was said."""
    peak: float | None = None
    """The event's highest score; None of a moment that was no event."""
    embedder: str | None = None
    """Hash of what made the embedding; None where there is none."""
    vector: NDArray[np.float32] | None = field(default=None, compare=False)
    """float32 [d], the embedding of what was heard."""

    @property
    def event(self) -> str:
        """The event's name, as its message gives it."""
        return event_id(self.stream, self.label, self.time)


def write_verdict(path: Path, verdict: Verdict) -> None:
    """Keep a verdict; it takes the place of an earlier one of the same event.

    Args:
        path: The history's file, which a service may be writing.
        verdict: What was said; `given` 0 means now.

    Raises:
        HistoryError: There is no history, no service of this version has had it yet, it cannot be written, or the disk
            is full.
    """
    short = (None, None) if verdict.vector is None else shortened(verdict.vector)
    scale, vector = short[0], None if short[1] is None else short[1].tobytes()
    row = (
        verdict.event,
        verdict.stream,
        verdict.label,
        verdict.time,
        verdict.is_right,
        verdict.who[:_MOST_NAME],
        verdict.given or clock.time(),
        verdict.peak,
        verdict.embedder if vector is not None else None,
        scale,
        vector,
    )
    with _opened_to_write(path) as base:
        base.execute("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def withdraw_verdict(path: Path, event: str) -> bool:
    """Forget a verdict, and tell whether there was one: what it changed is as before.

    Raises:
        HistoryError: As `write_verdict`.
    """
    with _opened_to_write(path) as base:
        return base.execute("DELETE FROM verdicts WHERE event = ?", (event,)).rowcount > 0


def read_verdicts(path: Path, *, label: str = "", with_vectors: bool = True) -> list[Verdict]:
    """Return all verdicts, or those of one label, newest first; none where there is no history yet.

    Raises:
        HistoryError: It cannot be read.
    """
    columns = "stream, label, time, is_right, who, given, peak, embedder, scale, vector"
    where, values = ("WHERE label = ?", (label,)) if label else ("", ())
    try:
        if not path.is_file():
            return []
        with opened_to_read(path, _LOCK_SECONDS) as (base, version):
            if version is None or version < LEARNS:
                return []
            query = f"SELECT {columns} FROM verdicts {where} ORDER BY given DESC, event"  # noqa: S608
            rows = base.execute(query, values).fetchall()
    except (sqlite3.Error, OSError) as error:
        raise HistoryError(f"{path}: the history cannot be read: {error}") from error
    return [_verdict(row, with_vectors=with_vectors) for row in rows]


def _verdict(row: tuple[Any, ...], *, with_vectors: bool) -> Verdict:
    stream, label, time, is_right, who, given, peak, embedder, scale, short = row
    vector = None if short is None or not with_vectors else lengthened(scale, short)
    return Verdict(stream, label, time, bool(is_right), who, given, peak, embedder, vector)


@contextmanager
def _opened_to_write(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        if not path.is_file():
            raise HistoryError(f"{path}: there is no history yet")
        with opened_to_read(path, _LOCK_SECONDS) as (_, version):
            if version is None or version < LEARNS:
                raise HistoryError(
                    f"{path}: an earlier Streamtag wrote it; start the service once, which brings it up to date"
                )
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=_LOCK_SECONDS)) as base, base:
            base.execute("BEGIN IMMEDIATE")
            yield base
    except (sqlite3.Error, OSError) as error:
        raise HistoryError(f"{path}: the verdict cannot be kept: {error}") from error
