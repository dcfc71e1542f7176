"""What alerts decided, on disk: so that the page can tell of it, and a cooldown outlives the process."""

import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from platformdirs import user_state_path

from streamtag.alerts.rules import Decision
from streamtag.settings import Config

__all__ = ["AlertLog", "Logged", "log_path", "read_log"]

_LOCK_SECONDS: Final = 2.0
_MOST_KEPT: Final = 5_000
"""Decisions of either kind, told and held back; older ones go."""
_PRUNE_SECONDS: Final = 60.0
_DAY: Final = 86_400.0
_LAYOUT: Final = """
CREATE TABLE IF NOT EXISTS decisions (
    id INTEGER PRIMARY KEY, time REAL NOT NULL, alert TEXT NOT NULL, stream TEXT NOT NULL, what TEXT NOT NULL,
    onset REAL NOT NULL, value REAL, is_told INTEGER NOT NULL, reason TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS decisions_by_kind ON decisions (is_told, id);
"""
_COLUMNS: Final = "time, alert, stream, what, onset, value, is_told, reason"
_OLD: Final = """DELETE FROM decisions WHERE time < ? OR (is_told = ? AND id NOT IN
    (SELECT id FROM decisions WHERE is_told = ? ORDER BY id DESC LIMIT ?))"""


@dataclass(frozen=True, slots=True)
class Logged:
    """A decision as it is kept: `time` and `onset` in Unix seconds."""

    time: float
    alert: str
    stream: str
    what: str
    onset: float
    value: float | None
    is_told: bool
    reason: str


def log_path(config: Config, service: str) -> Path:
    """Return where decisions are kept: beside the history, else in the user's state folder.

    Args:
        config: The settings.
        service: What the service is called.
    """
    if config.history.path:
        history = Path(config.history.path)
        return history.with_name(f"{history.stem}-alerts.sqlite")
    return user_state_path("streamtag") / f"{service}-alerts.sqlite"


class AlertLog:
    """The open file; one thread uses it.

    Raises:
        sqlite3.Error: From every method: it is damaged or locked, or the disk is full.
        OSError: From its making: the folder cannot be made.
    """

    def __init__(self, path: Path, keep_days: float) -> None:
        """Open the file, which is made for its owner alone."""
        self._keep_seconds = keep_days * _DAY
        self._prune_at = 0.0
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._base = sqlite3.connect(path, timeout=_LOCK_SECONDS)
        try:
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = NORMAL")
            self._base.executescript(_LAYOUT)
        except BaseException:
            self._base.close()
            raise

    def put(self, decisions: Iterable[Decision]) -> None:
        """Keep decisions, and let go of what is old or too much."""
        rows = [
            (
                each.moment.wall,
                each.alert,
                each.stream,
                each.what,
                each.onset.wall,
                each.value,
                each.is_told,
                each.reason,
            )
            for each in decisions
        ]
        with self._base:
            self._base.executemany(f"INSERT INTO decisions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)  # noqa: S608
            if time.monotonic() >= self._prune_at:
                self._prune_at = time.monotonic() + _PRUNE_SECONDS
                for kind in (0, 1):
                    self._base.execute(_OLD, (time.time() - self._keep_seconds, kind, kind, _MOST_KEPT))

    def told(self) -> list[Logged]:
        """Return what was told last by each alert and stream, oldest first."""
        query = f"SELECT {_COLUMNS} FROM decisions WHERE id IN (SELECT MAX(id) FROM decisions WHERE is_told "  # noqa: S608
        return [_logged(row) for row in self._base.execute(f"{query} GROUP BY alert, stream) ORDER BY id")]

    def close(self) -> None:
        """Close the file."""
        self._base.close()


def read_log(path: Path, limit: int) -> list[Logged]:
    """Return the newest decisions of both kinds, newest first; none where there is no file.

    Raises:
        sqlite3.Error: It cannot be read.
    """
    if not path.is_file():
        return []
    found: list[Sequence[Any]] = []
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_LOCK_SECONDS)) as base:
        for kind in (0, 1):
            query = f"SELECT id, {_COLUMNS} FROM decisions WHERE is_told = ? ORDER BY id DESC LIMIT ?"  # noqa: S608
            found += base.execute(query, (kind, limit))
    return [_logged(row[1:]) for row in sorted(found, key=lambda row: row[0], reverse=True)]


def _logged(row: Sequence[Any]) -> Logged:
    at, alert, stream, what, onset, value, is_told, reason = row
    return Logged(at, alert, stream, what, onset, value, bool(is_told), reason)
