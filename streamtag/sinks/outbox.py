"""What waits to be delivered, on disk: it outlives the process, and an outage of whoever it is for."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from streamtag.history.lock import Lock

__all__ = ["MOST_WAITING", "Letter", "Outbox"]

MOST_WAITING: Final = 100_000
"""Letters that wait for one receiver; beyond it the oldest is given up."""
_LOCK_SECONDS: Final = 5.0
_LAYOUT: Final = """
CREATE TABLE IF NOT EXISTS letters (
    number INTEGER PRIMARY KEY, receiver TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    made REAL NOT NULL, due REAL NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS letters_of_receiver ON letters (receiver, number);
CREATE TABLE IF NOT EXISTS seen (topic TEXT PRIMARY KEY, mark TEXT NOT NULL);
"""


class Letter(NamedTuple):
    """What waits: `made` in Unix seconds."""

    number: int
    id: str
    body: str
    made: float
    tries: int


class Outbox:
    """A file of letters; may be used from several threads."""

    def __init__(self, path: Path) -> None:
        """Open the file, which is made for its owner alone.

        Raises:
            OSError, sqlite3.Error: It cannot be opened.
            HeldError: Another process delivers what is in it.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._held = Lock(path)
        try:
            self._open(path)
        except BaseException:
            self._held.free()
            raise

    def _open(self, path: Path) -> None:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._lock = threading.Lock()
        self._base = sqlite3.connect(path, timeout=_LOCK_SECONDS, check_same_thread=False)
        try:
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = NORMAL")
            self._base.executescript(_LAYOUT)
        except BaseException:
            self._base.close()
            raise

    def seen(self) -> dict[str, str]:
        """Return the newest that was taken in of each topic."""
        with self._lock:
            return dict(self._base.execute("SELECT topic, mark FROM seen"))

    def put(self, letters: Iterable[tuple[str, str, str]], seen: dict[str, str]) -> None:
        """Keep letters (receiver, id, body), and what was seen with them: all or nothing.

        Raises:
            sqlite3.Error: The disk is full, say; nothing was kept.
        """
        now = time.time()
        with self._lock, self._base:
            rows = [(*letter, now) for letter in letters]
            self._base.executemany("INSERT INTO letters (receiver, id, body, made) VALUES (?, ?, ?, ?)", rows)
            self._base.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", seen.items())

    def next(self, recipient: str, now: float) -> Letter | None:
        """Return the oldest letter for a receiver that is due."""
        found = self.oldest(recipient, now, 1)
        return found[0] if found else None

    def oldest(self, recipient: str, now: float, most: int) -> list[Letter]:
        """Return the oldest letters for a receiver that are due, at most so many."""
        query = (
            "SELECT number, id, body, made, tries FROM letters WHERE receiver = ? AND due <= ? ORDER BY number LIMIT ?"
        )
        with self._lock:
            found = self._base.execute(query, (recipient, now, most)).fetchall()
        return [Letter(*row) for row in found]

    def done(self, *numbers: int) -> None:
        """Forget letters."""
        with self._lock, self._base:
            self._base.executemany("DELETE FROM letters WHERE number = ?", [(number,) for number in numbers])

    def put_off(self, number: int, due: float) -> None:
        """Try a letter again later, in Unix seconds."""
        with self._lock, self._base:
            self._base.execute("UPDATE letters SET due = ?, tries = tries + 1 WHERE number = ?", (due, number))

    def waiting(self, recipient: str) -> int:
        """Count the letters for a receiver."""
        with self._lock:
            found = self._base.execute("SELECT COUNT(*) FROM letters WHERE receiver = ?", (recipient,)).fetchone()
        return int(found[0])

    def give_up(self, recipient: str, most: int) -> int:
        """Forget the oldest letters for a receiver beyond `most`; return how many."""
        surplus = self.waiting(recipient) - most
        if surplus <= 0:
            return 0
        oldest = "SELECT number FROM letters WHERE receiver = ? ORDER BY number LIMIT ?"
        with self._lock, self._base:
            self._base.execute(f"DELETE FROM letters WHERE number IN ({oldest})", (recipient, surplus))  # noqa: S608
        return surplus

    def keep_only(self, recipients: Sequence[str]) -> None:
        """Forget the letters for whoever is no longer told."""
        marks = ", ".join("?" * len(recipients))
        with self._lock, self._base:
            self._base.execute(f"DELETE FROM letters WHERE receiver NOT IN ({marks})", recipients)  # noqa: S608

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()
        self._held.free()
