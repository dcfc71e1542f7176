"""What writer and readers agree on: the tables of each version, and where a clip lies."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from streamtag.errors import HistoryError

__all__ = ["LEARNS", "VERSION", "bring_up_to_date", "clip_file", "clip_folder", "opened_to_read"]

VERSION: Final = 2
"""Of the tables below; stands in the file as `PRAGMA user_version`. Files of before it was counted have 0."""

LEARNS: Final = 2
"""The version from which on a history keeps embeddings and verdicts."""

_LEARNING: Final = (
    # What made embeddings, by a number that is short in every row.
    "CREATE TABLE embedders (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE)",
    """CREATE TABLE embeddings (
        id INTEGER PRIMARY KEY,
        session TEXT NOT NULL,      -- of the service
        token INTEGER,              -- the event's that it began; NULL where it stands for the rest
        stream TEXT NOT NULL,
        time REAL NOT NULL,         -- Unix seconds at which its window begins
        embedder INTEGER NOT NULL,
        scale REAL NOT NULL,
        vector BLOB NOT NULL,       -- int8 [d]; times `scale` it is the embedding
        kept REAL NOT NULL,         -- as an event's
        UNIQUE (session, token)
    )""",
    "CREATE INDEX embeddings_by_time ON embeddings (time)",
    "CREATE INDEX embeddings_by_kept ON embeddings (kept)",
    # Whole by themselves: they outlive their events.
    """CREATE TABLE verdicts (
        event TEXT PRIMARY KEY,     -- its name: see `event_ids.py`
        stream TEXT NOT NULL,
        label TEXT NOT NULL,
        time REAL NOT NULL,         -- Unix seconds of the onset
        is_right INTEGER NOT NULL,  -- whether the label is heard there
        who TEXT NOT NULL,
        given REAL NOT NULL,        -- Unix seconds
        peak REAL,                  -- the event's; NULL where it is of a moment that was no event
        embedder TEXT,              -- its hash; NULL with `scale` and `vector` where no embedding was kept
        scale REAL,
        vector BLOB
    )""",
)
_TABLES: Final = (
    """CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        session TEXT NOT NULL,      -- of the service; its open events have no end when it is killed
        token INTEGER NOT NULL,     -- counts events within the session
        stream TEXT NOT NULL,
        label TEXT NOT NULL,
        time REAL NOT NULL,         -- Unix seconds of the onset
        onset REAL NOT NULL,        -- stream seconds
        offset REAL,                -- stream seconds; NULL while on
        peak REAL NOT NULL,
        clip_bytes INTEGER NOT NULL DEFAULT 0,
        kept REAL NOT NULL DEFAULT 0,   -- Unix seconds when it was written, moved when the clock is set
        clip TEXT,                  -- name of the clip's file; without clip_bytes it was begun and not finished
        UNIQUE (session, token)
    )""",
    "CREATE INDEX events_by_time ON events (time)",
    "CREATE INDEX events_by_label ON events (label, time)",
    "CREATE INDEX events_by_stream ON events (stream, time)",
    "CREATE INDEX events_by_kept ON events (kept)",
    "CREATE TABLE sessions (session TEXT PRIMARY KEY, running INTEGER NOT NULL)",
    # Files of clips whose event is gone, until they are gone too.
    "CREATE TABLE cleared (clip TEXT PRIMARY KEY)",
    *_LEARNING,
)
_STEPS: Final[dict[int, tuple[str, ...]]] = {
    0: (
        "ALTER TABLE events ADD COLUMN kept REAL NOT NULL DEFAULT 0",
        "ALTER TABLE events ADD COLUMN clip TEXT",
        "UPDATE events SET kept = time, clip = CASE WHEN clip_bytes > 0 THEN id || '.wav' END",
        "CREATE INDEX events_by_kept ON events (kept)",
        "CREATE TABLE cleared (clip TEXT PRIMARY KEY)",
    ),
    1: _LEARNING,
}
"""By version: what leads from it to the next."""
_COLUMNS_OF_0: Final = frozenset(
    {"id", "session", "token", "stream", "label", "time", "onset", "offset", "peak", "clip_bytes"}
)
_COLUMNS: Final = _COLUMNS_OF_0 | {"kept", "clip"}
_MAGIC: Final = b"SQLite format 3\0"


@contextmanager
def opened_to_read(path: Path, timeout: float) -> Iterator[tuple[sqlite3.Connection, int | None]]:
    """Open a history that is there, to read it only, and say its version, None where it is new and empty.

    Raises:
        HistoryError: It is of a newer version, or no history at all; nothing is changed.
        sqlite3.Error: It cannot be read.
        OSError: There is no such file, or it cannot be read.
    """
    _check_version(_written_version(path), path)  # before the library touches anything
    for mode in ("ro", "rw"):
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=timeout)) as base:
            try:
                version = _version_of(base, path)
            except sqlite3.OperationalError as error:
                # A service that was killed in the middle left something to be undone first.
                if mode == "ro" and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY:
                    continue
                raise
            base.execute("PRAGMA query_only = ON")
            yield base, version
            return


def _written_version(path: Path) -> int:
    """Return the version that stands in a file's head, 0 where it has none."""
    with path.open("rb") as file:
        head = file.read(64)
    return int.from_bytes(head[60:64], "big") if head.startswith(_MAGIC) else 0


def _version_of(base: sqlite3.Connection, path: Path) -> int | None:
    version = int(base.execute("PRAGMA user_version").fetchone()[0])
    _check_version(version, path)
    tables = {row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables and not version:
        return None
    columns = {row[1] for row in base.execute("PRAGMA table_info(events)")}
    if not columns >= (_COLUMNS if version else _COLUMNS_OF_0) or "sessions" not in tables:
        raise HistoryError(f"{path}: it is a database of something else; choose another [history] path")
    return version


def _check_version(version: int, path: Path) -> None:
    if version > VERSION:
        raise HistoryError(
            f"{path}: a newer Streamtag wrote it (version {version}, this one knows {VERSION}); update this one, "
            "or choose another [history] path"
        )


def bring_up_to_date(base: sqlite3.Connection, version: int | None) -> None:
    """Make the tables, or change those of an earlier version, all or nothing.

    Raises:
        sqlite3.Error: The file cannot be written.
    """
    if version == VERSION:
        return
    base.execute("BEGIN IMMEDIATE")
    try:
        if version is None:
            steps = [*_TABLES]
        else:
            steps = [step for number in range(version, VERSION) for step in _STEPS[number]]
        for step in (*steps, f"PRAGMA user_version = {VERSION}"):
            base.execute(step)
        base.commit()
    except BaseException:
        base.rollback()
        raise


def clip_folder(history: Path) -> Path:
    """Return the folder of the clips that belong to a history's file."""
    return history.with_name(f"{history.stem}-clips")


def clip_file(history: Path, name: str) -> Path | None:
    """Return where a clip lies; None for a name that leads elsewhere, which only a doctored history can hold."""
    if not name or name in (".", "..") or Path(name).name != name or "\0" in name:
        return None
    return clip_folder(history) / name
