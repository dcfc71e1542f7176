"""What the service calls: everything about a disk happens in a thread of its own."""

import itertools
import logging
import secrets
import sqlite3
import time
import zlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import PATCH_SAMPLES, SAMPLE_RATE, Patch
from streamtag.errors import HistoryError
from streamtag.history.clips import Clip, ClipCutter
from streamtag.history.clock import EvenClock
from streamtag.history.embeddings import Embedding
from streamtag.history.lock import HeldError
from streamtag.history.store import LOCK_SECONDS, Begin, DiskFullError, End, Record, Store
from streamtag.history.trouble import SURE_SECONDS, Trouble
from streamtag.history.verdicts import Verdict, read_verdicts
from streamtag.history.waiting import Waiting
from streamtag.settings import HistorySettings
from streamtag.threads import Worker

__all__ = ["History", "HistoryFares"]

_ROUND_SECONDS: Final = 0.5
_COMPLAINT_SECONDS: Final = 60.0
_OF_THE_REST: Final = 20  # of so many windows that began no event one is kept
_WINDOW_SECONDS: Final = PATCH_SAMPLES / SAMPLE_RATE
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# The connection is as good as before, and to let go of it would let another service have the file.
_PASSING: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
# Not of the file, but of what was to be written.
_OF_A_RECORD: Final = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError)

logger = logging.getLogger(__name__)


class HistoryFares(NamedTuple):
    """How a history fares: `dropped` counts onsets and ends that could not be kept."""

    state: Literal["kept", "waiting", "refused"]
    reason: str
    dropped: int


class History:
    """Keeps events, and clips where the settings say so.

    Attributes:
        verdicts: What people said of events, replaced as a whole when they say more.

    `patch`, `begin`, `end` and `leave` never wait; those of one stream come from one thread at a time. What cannot be
    written at once waits in a bounded queue, and its oldest is dropped and counted when that is full.
    """

    def __init__(
        self,
        path: Path,
        settings: HistorySettings,
        *,
        retry_seconds: float = 2.0,
        sure_seconds: float = SURE_SECONDS,
        lock_seconds: float = LOCK_SECONDS,
    ) -> None:
        """Prepare the thread; nothing is opened yet.

        Args:
            path: The SQLite file.
            settings: What is kept, and how long.
            retry_seconds: After how long a file that could not be opened or written is tried again.
            sure_seconds: How long all must have gone well before trouble is over.
            lock_seconds: How long to wait while another program writes to it.
        """
        self._path = path
        self._settings = settings
        self._retry_seconds, self._lock_seconds = retry_seconds, lock_seconds
        self._session = secrets.token_hex(4)
        self._clock = EvenClock()
        self._cutter = ClipCutter(settings.clip_seconds) if settings.clips else None
        self._tokens = itertools.count()  # `next` on it is one step, whichever thread takes it
        self._open: dict[tuple[str, int], int] = {}
        self._heard: dict[str, Embedding] = {}  # by stream, its newest
        self._counts: dict[str, int] = {}  # by stream, its embeddings
        self._waiting = Waiting()
        self._store: Store | None = None
        self.verdicts: tuple[Verdict, ...] = ()
        self._complain_at = 0.0
        self._refused = ""
        self._refused_file: tuple[int, int] | None = None
        self._trouble = Trouble(
            f"history {path} cannot be written for now: %s; events wait for it",
            f"history {path} is written again",
            sure_seconds,
        )
        self._clip_trouble = Trouble("no clips are kept for now: %s", "clips are kept again", sure_seconds)
        self._thread = Worker("history", self._run)

    @property
    def dropped(self) -> int:
        """Onsets and ends that could not be kept."""
        return self._waiting.dropped

    @property
    def restarts(self) -> int:
        """How often the thread failed in a way that nobody foresaw, and went on."""
        return self._thread.restarts

    @property
    def fares(self) -> HistoryFares:
        """Whether events are kept, and if not why."""
        if self._refused:
            return HistoryFares("refused", self._refused, self.dropped)
        reason = self._trouble.reason or ("" if self._store else "it is being opened")
        return HistoryFares("waiting" if reason else "kept", reason, self.dropped)

    def start(self) -> None:
        """Start the thread, which opens the file; if it cannot, the log says so and the service goes on."""
        self._thread.start()

    def patch(self, stream: str, patch: Patch, *, is_protected: bool = False) -> None:
        """Take in the sound of a stream, for clips; where it `is_protected`, no clip in whose span it lies is kept."""
        if self._cutter is not None:
            self._waiting.put_clips(self._cutter.patch(stream, patch, is_protected=is_protected))

    def embedding(self, stream: str, patch: Patch, embedder: str, vector: NDArray[np.float32]) -> None:
        """Take in what the network made of a stream's newest patch: kept if it begins an event, else one in twenty.

        Args:
            stream: The stream's name.
            patch: The patch.
            embedder: Hash of what made it.
            vector: float32 [d], which is not changed any more.
        """
        if not self._settings.embeddings:
            return
        count = self._counts.get(stream, zlib.crc32(stream.encode()))  # streams that begin together take turns
        self._counts[stream] = count + 1
        heard = self._heard[stream] = Embedding(stream, patch.time - _WINDOW_SECONDS, embedder, vector)
        if count % _OF_THE_REST == 0:
            self._waiting.put_embedding(heard)

    def begin(self, stream: str, event: int, label: str, onset: float, peak: float, time: float) -> None:
        """Keep an onset.

        Args:
            stream: The stream's name.
            event: The event's number in its stream, until it ends.
            label: Its label.
            onset: Stream seconds.
            peak: The highest score so far.
            time: Unix seconds of the onset.
        """
        token = self._open[stream, event] = next(self._tokens)
        self._waiting.put(Begin(token, stream, label, time, onset, peak))
        heard = self._heard.get(stream)
        if heard is not None:
            self._waiting.put_embedding(replace(heard, token=token))
        if self._cutter is not None:
            self._cutter.want(stream, token, onset)

    def end(self, stream: str, event: int, offset: float, peak: float) -> None:
        """Keep an event's end, in stream seconds."""
        token = self._open.pop((stream, event), None)
        if token is not None:
            self._waiting.put(End(token, offset, peak))

    def leave(self, stream: str) -> None:
        """Let go of the recent sound of a stream that was interrupted or ended."""
        self._heard.pop(stream, None)
        self._counts.pop(stream, None)
        if self._cutter is not None:
            self._waiting.put_clips(self._cutter.leave(stream))

    def settle(self, seconds: float) -> bool:
        """Wait for at most `seconds` until what came so far is in the file, and tell whether it is.

        Whoever tells of an event afterwards tells of one that outlives the process. Nothing is waited for while the
        file cannot be written; a disk that took longer is not waited for again until it is done, and all waiting
        together is at most a tenth of the time.
        """
        return self._waiting.settle(seconds)

    def stop(self, seconds: float = 1.0) -> None:
        """Write what waits, for at most `seconds`, and close the file."""
        self._waiting.stop()
        self._thread.join(seconds)
        lost = self.dropped + len(self._waiting)
        if lost:
            logger.warning("history %s: %d onsets and ends could not be kept", self._path, lost)

    def _run(self) -> None:
        wait = 0.0
        try:
            while True:
                self._waiting.wait(wait, for_more=wait <= _ROUND_SECONDS)  # not where writing went wrong
                last = self._waiting.is_stopping
                wait = self._round()
                if last:
                    return
        finally:
            self._waiting.hold()
            self._let_go()

    def _round(self) -> float:
        """Write what waits; return how long to wait for more."""
        if self._refused and self._is_still_refused():
            return self._retry_seconds
        try:
            if self._store is not None and not self._store.is_in_place():
                logger.warning("history %s was moved or removed: another one is begun", self._path)
                self._let_go()
            if self._store is None:
                self._store = Store(
                    self._path,
                    self._settings,
                    session=self._session,
                    clock=self._clock,
                    lock_seconds=self._lock_seconds,
                )
            self._write(self._store)
        except HistoryError as error:
            self._refuse(str(error))
            return self._retry_seconds
        except (sqlite3.Error, OSError, HeldError) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _DAMAGED:
                self._refuse(f"{self._path}: it is damaged or is no history; move it away")
                return self._retry_seconds
            self._waiting.hold()
            self._trouble.bad(str(error))
            if code not in _PASSING:
                self._let_go()
            return self._retry_seconds
        self._trouble.good()
        return _ROUND_SECONDS

    def _write(self, store: Store) -> None:
        self._waiting.write(partial(self._write_records, store))
        self._waiting.write_embeddings(store.write_embeddings)
        if store.heard_others():
            self.verdicts = tuple(read_verdicts(self._path, with_vectors=False))
        store.prune()
        for clip in self._waiting.take_clips():
            self._keep(store, clip)

    def _write_records(self, store: Store, records: list[Record]) -> None:
        try:
            store.write(records)
        except Exception as error:
            if not _is_of_a_record(error):
                raise
            if len(records) > 1:  # all or none: so find out which, and have the others
                half = len(records) // 2
                self._write_records(store, records[:half])
                self._write_records(store, records[half:])
                return
            self._waiting.count_dropped()
            if time.monotonic() >= self._complain_at:
                self._complain_at = time.monotonic() + _COMPLAINT_SECONDS
                logger.exception("history %s: %s cannot be kept", self._path, records[0])

    def _keep(self, store: Store, clip: Clip) -> None:
        try:
            store.keep(clip)
        except (DiskFullError, OSError) as error:
            self._clip_trouble.bad(str(error))
        else:
            self._clip_trouble.good()

    def _refuse(self, reason: str) -> None:
        self._let_go()
        try:
            found = self._path.stat()
        except OSError:
            self._refused_file = None
        else:
            self._refused_file = found.st_dev, found.st_ino
        self._refused = reason
        self._waiting.refuse(True)
        logger.error("no history is kept: %s", reason)

    def _is_still_refused(self) -> bool:
        """Look whether another file is there, or none."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            pass
        except OSError:
            return True
        else:
            if (found.st_dev, found.st_ino) == self._refused_file:
                return True
        self._refused = ""
        self._waiting.refuse(False)
        logger.info("history %s: another file is there, or none", self._path)
        return False

    def _let_go(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()


def _is_of_a_record(error: Exception) -> bool:
    return isinstance(error, _OF_A_RECORD) or not isinstance(error, (sqlite3.Error, OSError))
