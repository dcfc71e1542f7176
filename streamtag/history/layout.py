"""What writer and readers agree on: the table, and where a clip lies."""

from pathlib import Path
from typing import Final

__all__ = ["SCHEMA", "clip_folder", "clip_path"]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS events (
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
    UNIQUE (session, token)
);
CREATE INDEX IF NOT EXISTS events_by_time ON events (time);
CREATE INDEX IF NOT EXISTS events_by_label ON events (label, time);
CREATE INDEX IF NOT EXISTS events_by_stream ON events (stream, time);
CREATE TABLE IF NOT EXISTS sessions (session TEXT PRIMARY KEY, running INTEGER NOT NULL);
"""


def clip_folder(history: Path) -> Path:
    """Return the folder of the clips that belong to a history's file."""
    return history.with_name(f"{history.stem}-clips")


def clip_path(history: Path, event: int) -> Path:
    """Return where the clip of an event lies, named by nothing but its number."""
    return clip_folder(history) / f"{int(event)}.wav"
