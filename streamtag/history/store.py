"""The history's file, as its one writer sees it."""

import secrets
import shutil
import sqlite3
import time
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamtag.history.clips import Clip, write_clip
from streamtag.history.layout import SCHEMA, clip_folder, clip_path
from streamtag.settings import HistorySettings

__all__ = ["Begin", "DiskFullError", "End", "Record", "Store"]

SPARE_BYTES: Final = 256 << 20
"""What clips leave free on the disk for everything else."""
_LOCK_SECONDS: Final = 2.0
_PRUNE_SECONDS: Final = 30.0
_DAY: Final = 86400.0
_INSERT: Final = "INSERT INTO events (session, token, stream, label, time, onset, peak) VALUES (?, ?, ?, ?, ?, ?, ?)"
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
    """The open file; one thread uses it.

    Raises:
        sqlite3.Error: From every method: the file is locked, damaged, or the disk is full.
        OSError: From every method: the folder cannot be made.
    """

    def __init__(self, path: Path, settings: HistorySettings) -> None:
        self._path = path
        self._settings = settings
        self._session = secrets.token_hex(4)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._base = sqlite3.connect(path, timeout=_LOCK_SECONDS)
        try:
            self._open()
        except BaseException:
            self._base.close()
            raise
        self._pruned = 0.0

    def _open(self) -> None:
        self._base.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = NORMAL")
        self._base.execute(f"PRAGMA journal_size_limit = {4 << 20}")
        self._base.executescript(SCHEMA)
        with self._base:
            # One file has one writer: sessions before this one are over, however they ended.
            self._base.execute("UPDATE sessions SET running = 0")
            self._base.execute("INSERT INTO sessions VALUES (?, 1)", (self._session,))
        known = {str(row[0]) for row in self._base.execute("SELECT id FROM events WHERE clip_bytes > 0")}
        for file in clip_folder(self._path).glob("*.wav"):
            if file.stem not in known:
                file.unlink()

    def write(self, records: list[Record]) -> None:
        """Write onsets and ends, all or none."""
        with self._base:
            for record in records:
                if isinstance(record, Begin):
                    self._base.execute(_INSERT, (self._session, *astuple(record)))
                else:
                    self._base.execute(_UPDATE, (record.offset, record.peak, self._session, record.token))

    def keep(self, clip: Clip) -> None:
        """Write an event's clip.

        Raises:
            DiskFullError: The disk has too little room left.
        """
        found = self._base.execute(
            "SELECT id FROM events WHERE session = ? AND token = ?", (self._session, clip.token)
        ).fetchone()
        if found is None or not len(clip.samples):
            return
        self._make_room(clip.samples)
        size = write_clip(clip_path(self._path, found[0]), clip.samples)
        with self._base:
            self._base.execute("UPDATE events SET clip_bytes = ? WHERE id = ?", (size, found[0]))

    def prune(self, now: float | None = None) -> None:
        """Remove what is older or more than the settings keep; does nothing if it did so a moment ago."""
        if time.monotonic() - self._pruned < _PRUNE_SECONDS and self._pruned:
            return
        self._pruned = time.monotonic()
        oldest = (time.time() if now is None else now) - self._settings.keep_days * _DAY
        self._remove([row[0] for row in self._base.execute("SELECT id FROM events WHERE time < ?", (oldest,))])
        self._shrink_to(int(self._settings.max_megabytes * 1e6))

    def size(self) -> int:
        """Return the bytes that the file and the clips take."""
        pages = self._base.execute("PRAGMA page_count").fetchone()[0]
        page = self._base.execute("PRAGMA page_size").fetchone()[0]
        clips = self._base.execute("SELECT COALESCE(SUM(clip_bytes), 0) FROM events").fetchone()[0]
        return int(pages * page + clips)

    def close(self) -> None:
        """Say that the session ended in good order, and close."""
        with suppress(sqlite3.Error), self._base:
            self._base.execute("UPDATE sessions SET running = 0 WHERE session = ?", (self._session,))
        self._base.close()

    def _make_room(self, samples: NDArray[np.int16]) -> None:
        needed = samples.nbytes + 4096
        if shutil.disk_usage(self._path.parent).free - needed < SPARE_BYTES:
            raise DiskFullError(f"less than {SPARE_BYTES >> 20} MB are free")
        self._shrink_to(int(self._settings.max_megabytes * 1e6) - needed)

    def _shrink_to(self, most: int) -> None:
        while self.size() > most:
            count = self._base.execute("SELECT COUNT(*) FROM events").fetchone()[0]
            oldest = self._base.execute("SELECT id FROM events ORDER BY time LIMIT ?", (max(1, count // 50),))
            ids = [row[0] for row in oldest]
            if not ids:
                return
            self._remove(ids)

    def _remove(self, ids: list[int]) -> None:
        if not ids:
            return
        with self._base:
            self._base.executemany("DELETE FROM events WHERE id = ?", [(id_,) for id_ in ids])
        for id_ in ids:
            clip_path(self._path, id_).unlink(missing_ok=True)
        self._base.executescript("PRAGMA incremental_vacuum")  # `execute` frees a single page
