"""The history's file, as its one writer sees it."""

import os
import secrets
import shutil
import sqlite3
import time
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

from streamtag.history import learning
from streamtag.history.clips import Clip, write_clip
from streamtag.history.clock import EvenClock
from streamtag.history.embeddings import Embedding
from streamtag.history.layout import bring_up_to_date, clip_file, clip_folder, opened_to_read
from streamtag.history.lock import Lock
from streamtag.settings import HistorySettings

__all__ = ["LOCK_SECONDS", "Begin", "DiskFullError", "End", "Record", "Store"]

SPARE_BYTES: Final = 256 << 20
"""What clips leave free on the disk for everything else."""
_SPARE_AGAIN_BYTES: Final = SPARE_BYTES + (32 << 20)  # once it was less, or clips would come and go by one byte
LOCK_SECONDS: Final = 2.0
_PRUNE_SECONDS: Final = 30.0
_DAY: Final = 86_400.0
_OWNER_ALONE: Final = 0o600
_INSERT: Final = """INSERT OR IGNORE INTO events (session, kept, token, stream, label, time, onset, peak)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_UPDATE: Final = "UPDATE events SET offset = ?, peak = ? WHERE session = ? AND token = ?"


@dataclass(frozen=True, slots=True)
class Begin:
    """An onset: `time` in Unix seconds, `onset` in stream seconds."""

    token: int
    stream: str
    label: str
    time: float
    onset: float
    peak: float


@dataclass(frozen=True, slots=True)
class End:
    """An event's end, in stream seconds."""

    token: int
    offset: float
    peak: float


Record = Begin | End


class DiskFullError(Exception):
    """There is no room for clips."""


class Store:
    """The open file; one thread uses it, and no other service has it.

    Raises:
        HistoryError: From its making: a newer version wrote the file, or it is a database of something else.
        HeldError: From its making: another service keeps it.
        sqlite3.Error: From every method: the file is locked, damaged, or the disk is full.
        OSError: From every method: the folder cannot be made.
    """

    def __init__(
        self,
        path: Path,
        settings: HistorySettings,
        *,
        session: str = "",
        clock: EvenClock | None = None,
        lock_seconds: float = LOCK_SECONDS,
    ) -> None:
        """Open the file, or make it.

        Args:
            path: The file.
            settings: What is kept.
            session: Whose events are written; the same when a file is opened again. A new one where it is empty.
            clock: Says what is old.
            lock_seconds: How long to wait while another program writes to it.
        """
        self._path = path
        self._settings = settings
        self._session = session or secrets.token_hex(4)
        self._clock = clock or EvenClock()
        self._lock_seconds = lock_seconds
        self._pruned = 0.0
        self._is_tight = False
        self._writings = -1
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = Lock(path)
        try:
            self._base = self._connect()
            try:
                self._begin()
            except BaseException:
                self._base.close()
                raise
        except BaseException:
            self._lock.free()
            raise

    def is_in_place(self) -> bool:
        """Whether the open file is still the one at its path."""
        try:
            found = os.stat(self._path)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def heard_others(self) -> bool:
        """Whether somebody else wrote since the last time that this was asked: a verdict; true the first time."""
        before, self._writings = self._writings, int(self._base.execute("PRAGMA data_version").fetchone()[0])
        return self._writings != before

    def write(self, records: list[Record]) -> None:
        """Write onsets and ends, all or none; what is there already stays, so that it can be tried again."""
        kept = self._clock.now()
        with self._base:
            for record in records:
                if isinstance(record, Begin):
                    self._base.execute(_INSERT, (self._session, kept, *astuple(record)))
                else:
                    self._base.execute(_UPDATE, (record.offset, record.peak, self._session, record.token))

    def keep(self, clip: Clip) -> None:
        """Write an event's clip.

        Raises:
            DiskFullError: The disk has too little room left, or a single clip takes more than may be kept.
        """
        if not len(clip.samples):
            return
        self._make_room(clip.samples.nbytes + 4096)
        found = self._base.execute(
            "SELECT id FROM events WHERE session = ? AND token = ?", (self._session, clip.token)
        ).fetchone()
        if found is None:
            return
        # The history names the clip before it is there: what a killed service left is known to be its own. And no other
        # history ever gave that name, so that nothing of anybody's is written over.
        name = f"{self._session}-{clip.token}.wav"
        self._name_clip(found[0], name, 0)
        try:
            size = write_clip(clip_folder(self._path) / name, clip.samples, clip.rate)
        except OSError:
            with suppress(sqlite3.Error):
                self._name_clip(found[0], None, 0)
            raise
        self._name_clip(found[0], name, size)

    def write_embeddings(self, embeddings: list[Embedding]) -> None:
        """Write embeddings, all or none."""
        with self._base:
            learning.write(self._base, self._session, self._clock.now(), embeddings)

    def prune(self) -> None:
        """Remove what is older or more than the settings keep; does nothing if it did so a moment ago."""
        self._follow_clock()
        if time.monotonic() - self._pruned < _PRUNE_SECONDS and self._pruned:
            return
        self._pruned = time.monotonic()
        if self._clock.is_even:
            oldest = self._clock.now() - self._settings.keep_days * _DAY
            self._remove([row[0] for row in self._base.execute("SELECT id FROM events WHERE kept < ?", (oldest,))])
            with self._base:
                learning.remove_older(self._base, oldest)
        with self._base:
            learning.remove_surplus(self._base, self._most_bytes)
        self._base.executescript("PRAGMA incremental_vacuum")  # `execute` frees a single page
        self._shrink_to(self._most_bytes)
        self._give_back()

    def size(self) -> int:
        """Return the bytes that events, clips and embeddings take; pages of the file that are free count as room."""
        pages, free, page = (
            self._base.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        clips = self._base.execute("SELECT COALESCE(SUM(clip_bytes), 0) FROM events").fetchone()[0]
        said = learning.verdict_bytes(self._base)  # they are few, and dear
        return max(0, int((pages - free) * page + clips - said))

    def close(self) -> None:
        """Say that the session ended in good order, and close."""
        with suppress(sqlite3.Error), self._base:
            self._base.execute("DELETE FROM sessions WHERE session = ?", (self._session,))
        self._base.close()
        self._lock.free()

    @property
    def _most_bytes(self) -> int:
        return int(self._settings.max_megabytes * 1e6)

    def _connect(self) -> sqlite3.Connection:
        with suppress(FileExistsError):  # made here, so that nobody else may read it; what SQLite adds takes after it
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWNER_ALONE))
        # Looked at by a connection that changes nothing: what is refused stays as it is.
        with opened_to_read(self._path, self._lock_seconds) as (_, version):
            self._version = version
        return sqlite3.connect(self._path, timeout=self._lock_seconds)

    def _begin(self) -> None:
        found = os.stat(self._path)
        self._identity = found.st_dev, found.st_ino
        self._base.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file; an old one keeps what it has
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = NORMAL")
        self._base.execute(f"PRAGMA journal_size_limit = {4 << 20}")
        if self._version == 0:
            self._close_to_others()
        bring_up_to_date(self._base, self._version)
        with self._base:
            # Nobody else has the file: sessions before this one are over, however they ended.
            self._base.execute("DELETE FROM sessions")
            self._base.execute("INSERT INTO sessions VALUES (?, 1)", (self._session,))
        last = self._base.execute("SELECT MAX(kept) FROM events").fetchone()[0]
        if last is not None:
            self._clock.expect(last)
        self._clear_begun_clips()
        self._clear_files()

    def _close_to_others(self) -> None:
        """Take from everybody but owner and group what files of before this was heeded gave them."""
        siblings = [self._path.with_name(self._path.name + end) for end in ("-wal", "-shm")]
        for path in (self._path, *siblings, clip_folder(self._path)):
            with suppress(OSError):
                path.chmod(path.stat().st_mode & 0o770)

    def _clear_begun_clips(self) -> None:
        """Remove what a service that was killed began to write."""
        with self._base:
            self._base.execute(
                "INSERT OR IGNORE INTO cleared SELECT clip FROM events WHERE clip IS NOT NULL AND clip_bytes = 0"
            )
            self._base.execute("UPDATE events SET clip = NULL WHERE clip_bytes = 0")

    def _follow_clock(self) -> None:
        jump = self._clock.look()
        if jump:
            with self._base:  # what was written until now is as old as it was before
                for table in ("events", "embeddings"):
                    change = f"UPDATE {table} SET kept = kept + ? WHERE session = ?"  # noqa: S608
                    self._base.execute(change, (jump, self._session))

    def _name_clip(self, event: int, name: str | None, size: int) -> None:
        with self._base:
            self._base.execute("UPDATE events SET clip = ?, clip_bytes = ? WHERE id = ?", (name, size, event))

    def _make_room(self, needed: int) -> None:
        spare = _SPARE_AGAIN_BYTES if self._is_tight else SPARE_BYTES
        self._is_tight = not self._has_room(needed + spare)
        if self._is_tight:
            raise DiskFullError(f"less than {SPARE_BYTES >> 20} MB are free")
        if needed > self._most_bytes // 2:
            raise DiskFullError("one clip takes more than half of [history] max_megabytes")
        self._shrink_to(self._most_bytes - needed)

    def _shrink_to(self, most: int) -> None:
        while self.size() > most:
            count = self._base.execute("SELECT COUNT(*) FROM events").fetchone()[0]
            oldest = self._base.execute("SELECT id FROM events ORDER BY kept, id LIMIT ?", (max(1, count // 50),))
            ids = [row[0] for row in oldest]
            if not ids:
                return
            self._remove(ids)

    def _give_back(self) -> None:
        """Make a file smaller that does not give back room by itself: not this program made it."""
        pages, page, gives_back = (
            self._base.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size", "auto_vacuum")
        )
        is_large = pages * page > self._most_bytes and self._has_room(2 * self._most_bytes)
        if is_large and not gives_back:
            self._base.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._base.execute("VACUUM")

    def _has_room(self, needed: int) -> bool:
        return shutil.disk_usage(self._path.parent).free >= needed

    def _remove(self, ids: list[int]) -> None:
        if not ids:
            return
        rows = [(id_,) for id_ in ids]
        with self._base:
            self._base.executemany(
                "INSERT OR IGNORE INTO cleared SELECT clip FROM events WHERE id = ? AND clip IS NOT NULL", rows
            )
            self._base.executemany(
                "DELETE FROM embeddings WHERE (session, token) = (SELECT session, token FROM events WHERE id = ?)", rows
            )
            self._base.executemany("DELETE FROM events WHERE id = ?", rows)
        self._clear_files()
        self._base.executescript("PRAGMA incremental_vacuum")  # `execute` frees a single page

    def _clear_files(self) -> None:
        """Remove the clips whose event is gone; one that does not go stays noted."""
        names = [row[0] for row in self._base.execute("SELECT clip FROM cleared")]
        gone = []
        for name in names:
            file = clip_file(self._path, name)
            with suppress(OSError):
                if file is not None:
                    file.unlink(missing_ok=True)
                gone.append((name,))
        if gone:
            with self._base:
                self._base.executemany("DELETE FROM cleared WHERE clip = ?", gone)
