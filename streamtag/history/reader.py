"""Reading a history that a service may be writing at the same moment."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamtag.errors import HistoryError
from streamtag.history.counts import LabelCounts, count_events
from streamtag.history.embeddings import EMPTY, Heard, StoredEmbeddings, lengthened
from streamtag.history.layout import LEARNS, clip_file, opened_to_read

__all__ = ["HistoryReader", "StoredEvent"]

_LOCK_SECONDS = 2.0
_LARGEST_ID = (1 << 63) - 1
_COLUMNS = """events.id, stream, label, time, onset, offset, peak, clip_bytes,
    offset IS NULL AND COALESCE((SELECT running FROM sessions WHERE sessions.session = events.session), 0)"""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as the history keeps it."""

    id: int
    stream: str
    label: str
    time: float
    """Unix seconds of the onset."""
    onset: float
    """Stream seconds."""
    offset: float | None
    """Stream seconds; None while it is on, and where the service was killed before its end."""
    peak: float
    has_clip: bool
    is_on: bool


class HistoryReader:
    """Searches a history's file; opens it anew for each question, so that it may come, go and be replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def search(
        self,
        *,
        text: str = "",
        label: str = "",
        stream: str = "",
        since: float | None = None,
        until: float | None = None,
        before: tuple[float, int] | None = None,
        limit: int = 200,
    ) -> list[StoredEvent]:
        """Return events, newest first.

        Args:
            text: Part of the label's name, in any case.
            label: The label's whole name.
            stream: The stream's whole name.
            since: Unix seconds of the earliest onset.
            until: Unix seconds of the latest onset.
            before: Time and id of the event after which the answer goes on.
            limit: Most events returned.

        Raises:
            HistoryError: There is no history, or it cannot be read.
        """
        where, values = _conditions(text, label, stream, since, until)
        if before is not None:
            where.append("(time, events.id) < (?, ?)")
            values += before
        query = f"SELECT {_COLUMNS} FROM events {_where(where)} ORDER BY time DESC, events.id DESC LIMIT ?"  # noqa: S608
        with self._opened() as (base, _):
            rows = base.execute(query, (*values, limit)).fetchall()
        return [_event(row) for row in rows]

    def read(
        self,
        *,
        text: str = "",
        label: str = "",
        stream: str = "",
        since: float | None = None,
        until: float | None = None,
        limit: int,
    ) -> Iterator[StoredEvent]:
        """Yield what `search` finds, oldest first and however much it is: few are in memory at once.

        Args:
            text: As for `search`.
            label: As for `search`.
            stream: As for `search`.
            since: As for `search`.
            until: As for `search`.
            limit: Most events; the newest ones are yielded.

        Raises:
            HistoryError: There is no history, or it cannot be read.
        """
        where, values = _conditions(text, label, stream, since, until)
        first = f"SELECT time, id FROM events {_where(where)} ORDER BY time DESC, id DESC LIMIT 1 OFFSET ?"  # noqa: S608
        with self._opened() as (base, _):
            oldest = base.execute(first, (*values, limit - 1)).fetchone()
            if oldest is not None:
                where.append("(time, events.id) >= (?, ?)")
                values += oldest
            query = f"SELECT {_COLUMNS} FROM events {_where(where)} ORDER BY time, events.id"  # noqa: S608
            for row in base.execute(query, values):
                yield _event(row)

    def names(self) -> tuple[list[str], list[str]]:
        """Return the labels and the streams that occur, each in alphabetical order.

        Raises:
            HistoryError: There is no history, or it cannot be read.
        """
        with self._opened() as (base, _):
            labels = [row[0] for row in base.execute("SELECT DISTINCT label FROM events ORDER BY label")]
            streams = [row[0] for row in base.execute("SELECT DISTINCT stream FROM events ORDER BY stream")]
        return labels, streams

    def counts(
        self, edges: Sequence[float], *, elapsed: float, earlier: int, stream: str = ""
    ) -> tuple[list[LabelCounts], float | None]:
        """Return how many events of each label there were, as `count_events` does, and when the oldest of all began.

        Args:
            edges: As for `count_events`.
            elapsed: As for `count_events`.
            earlier: As for `count_events`.
            stream: As for `count_events`.

        Raises:
            HistoryError: There is no history, or it cannot be read.
        """
        with self._opened() as (base, _):
            counts = count_events(base, edges, elapsed=elapsed, earlier=earlier, stream=stream)
            oldest = base.execute("SELECT MIN(time) FROM events").fetchone()[0]
        return counts, oldest

    def size(self) -> tuple[int, int]:
        """Return the number of events, and the bytes of the file and of all clips.

        Raises:
            HistoryError: There is no history, or it cannot be read.
        """
        with self._opened() as (base, _):
            events, clips = base.execute("SELECT COUNT(*), COALESCE(SUM(clip_bytes), 0) FROM events").fetchone()
            pages, page = (base.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        return events, clips + pages * page

    def clip(self, event: int) -> Path | None:
        """Return the file of an event's clip, None where there is none.

        Raises:
            HistoryError: There is no history, or it cannot be read.
        """
        if not 0 <= event <= _LARGEST_ID:
            return None
        with self._opened() as (base, version):
            # A service that begins brings the file up to date; until then it is of before clips had names.
            name = "clip" if version else "id || '.wav'"
            query = f"SELECT {name} FROM events WHERE id = ? AND clip_bytes > 0"  # noqa: S608
            found = base.execute(query, (event,)).fetchone()
        path = clip_file(self._path, found[0] or "") if found else None
        return path if path is not None and path.is_file() else None

    def event(self, event: int) -> StoredEvent | None:
        """Return an event by its number, None where there is none.

        Raises:
            HistoryError: There is no history, or it cannot be read.
        """
        if not 0 <= event <= _LARGEST_ID:
            return None
        with self._opened() as (base, _):
            row = base.execute(f"SELECT {_COLUMNS} FROM events WHERE id = ?", (event,)).fetchone()  # noqa: S608
        return _event(row) if row else None

    def embeddings(
        self,
        embedder: str,
        *,
        stream: str = "",
        since: float | None = None,
        until: float | None = None,
        event: int = 0,
        ids: Sequence[int] | None = None,
    ) -> StoredEmbeddings:
        """Return the embeddings that are kept, oldest first.

        Args:
            embedder: Hash of what made them; those of other models are left out.
            stream: As for `search`.
            since: Unix seconds of the earliest.
            until: Unix seconds of the latest.
            event: The number of the event that each began; 0: any, and those that began none.
            ids: Their numbers; any where absent.

        Raises:
            HistoryError: There is no history, or it cannot be read.
        """
        where, values = _conditions("", "", stream, since, until)
        where = [f"embeddings.{each}" for each in where]
        where.append("embedder = (SELECT id FROM embedders WHERE hash = ?)")
        values.append(embedder)
        if event:
            where.append("events.id = ?")
            values.append(event)
        if ids is not None:
            where.append("embeddings.id IN (SELECT value FROM json_each(?))")
            values.append(json.dumps([int(each) for each in ids]))
        query = f"""SELECT embeddings.id, embeddings.stream, embeddings.time, COALESCE(events.id, 0), vector, scale
            FROM embeddings LEFT JOIN events USING (session, token)
            {_where(where)} ORDER BY embeddings.time, embeddings.id"""  # noqa: S608
        with self._opened() as (base, version):
            rows = base.execute(query, values).fetchall() if version >= LEARNS else []
        if not rows:
            return EMPTY
        ids, streams, times, events, vectors, scales = zip(*rows, strict=True)
        return StoredEmbeddings(
            np.array(ids, np.int64),
            list(streams),
            np.array(times),
            np.array(events, np.int64),
            np.frombuffer(b"".join(vectors), np.int8).reshape(len(rows), -1),
            np.array(scales, np.float32),
        )

    def heard(self, *, event: int = 0, moment: int = 0) -> Heard | None:
        """Return the embedding that began an event, or the one of a number, whatever model made it; None without one.

        Raises:
            HistoryError: There is no history, or it cannot be read.
        """
        which = "events.id = ?" if event else "embeddings.id = ?"
        query = f"""SELECT embeddings.stream, embeddings.time, hash, scale, vector
            FROM embeddings JOIN embedders ON embedders.id = embedder LEFT JOIN events USING (session, token)
            WHERE {which} LIMIT 1"""  # noqa: S608
        with self._opened() as (base, version):
            row = base.execute(query, (event or moment,)).fetchone() if version >= LEARNS else None
        return None if row is None else Heard(row[0], row[1], row[2], lengthened(row[3], row[4]))

    @contextmanager
    def _opened(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        try:
            if self._path.is_file():
                with opened_to_read(self._path, _LOCK_SECONDS) as (base, version):
                    if version is not None:
                        yield base, version
                        return
        except (sqlite3.Error, OSError) as error:
            raise HistoryError(f"{self._path}: the history cannot be read: {error}") from error
        raise HistoryError(f"{self._path}: there is no history yet")


def _conditions(
    text: str, label: str, stream: str, since: float | None, until: float | None
) -> tuple[list[str], list[str | float]]:
    conditions: list[tuple[str, str | float]] = []
    if text:
        escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        conditions.append((r"label LIKE ? ESCAPE '\'", f"%{escaped}%"))
    if label:
        conditions.append(("label = ?", label))
    if stream:
        conditions.append(("stream = ?", stream))
    if since is not None:
        conditions.append(("time >= ?", since))
    if until is not None:
        conditions.append(("time <= ?", until))
    return [text for text, _ in conditions], [value for _, value in conditions]


def _where(conditions: list[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _event(row: tuple[Any, ...]) -> StoredEvent:
    id_, stream, label, time, onset, offset, peak, clip_bytes, is_on = row
    return StoredEvent(id_, stream, label, time, onset, offset, peak, bool(clip_bytes), bool(is_on))
