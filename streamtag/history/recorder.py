"""What the service calls: everything about a disk happens in a thread of its own."""

import itertools
import logging
import sqlite3
import threading
from collections import deque
from pathlib import Path
from typing import Final

from streamtag.audio import PATCH_SAMPLES, SAMPLE_RATE, Patch
from streamtag.history.clips import Clip, ClipCutter
from streamtag.history.store import Begin, DiskFullError, End, Record, Store
from streamtag.settings import HistorySettings
from streamtag.threads import Worker

__all__ = ["PRIVATE_PREFIX", "History"]

PRIVATE_PREFIX: Final = "browser-"
"""Streams whose name begins so are visitors' microphones: nothing of them is kept."""

_MOST_RECORDS: Final = 10_000
_MOST_CLIPS: Final = 32
_ROUND_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 2.0
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

logger = logging.getLogger(__name__)


class History:
    """Keeps events, and clips where the settings say so.

    `patch`, `begin`, `end` and `leave` never wait; those of one stream come from one thread at a time. What cannot be
    written at once waits in a bounded queue, and its oldest is dropped and counted when that is full.

    Attributes:
        dropped: Onsets and ends that could not be kept.
    """

    def __init__(self, path: Path, settings: HistorySettings) -> None:
        """Prepare the thread; nothing is opened yet.

        Args:
            path: The SQLite file.
            settings: What is kept, and how long.
        """
        self.dropped = 0
        self._path = path
        self._settings = settings
        self._cutter = ClipCutter(settings.clip_seconds) if settings.clips else None
        self._tokens = itertools.count()  # `next` on it is one step, whichever thread takes it
        self._open: dict[tuple[str, int], int] = {}
        self._records: deque[Record] = deque()
        self._clips: deque[Clip] = deque(maxlen=_MOST_CLIPS)
        self._changed = threading.Condition()
        self._stopping = False
        self._trouble = ""
        self._clip_trouble = ""
        self._thread = Worker("history", self._run)

    @property
    def restarts(self) -> int:
        """How often the thread failed in a way that nobody foresaw, and went on."""
        return self._thread.restarts

    def start(self) -> None:
        """Start the thread, which opens the file; if it cannot, the log says so and the service goes on."""
        self._thread.start()

    def patch(self, stream: str, patch: Patch) -> None:
        """Take in the sound of a stream, for clips."""
        if self._cutter is not None and not stream.startswith(PRIVATE_PREFIX):
            self._put_clips(list(self._cutter.patch(stream, patch)))

    def begin(self, stream: str, event: int, label: str, onset: float, peak: float, patch: Patch) -> None:
        """Keep an onset.

        Args:
            stream: The stream's name.
            event: The event's number in its stream, until it ends.
            label: Its label.
            onset: Stream seconds.
            peak: The highest score so far.
            patch: The patch that made it known.
        """
        if stream.startswith(PRIVATE_PREFIX):
            return
        token = self._open[stream, event] = next(self._tokens)
        time = patch.time - (patch.start + PATCH_SAMPLES) / SAMPLE_RATE + onset
        self._put(Begin(token, stream, label, time, onset, peak))
        if self._cutter is not None:
            self._cutter.want(stream, token, onset)

    def end(self, stream: str, event: int, offset: float, peak: float) -> None:
        """Keep an event's end, in stream seconds."""
        token = self._open.pop((stream, event), None)
        if token is not None:
            self._put(End(token, offset, peak))

    def leave(self, stream: str) -> None:
        """Let go of the recent sound of a stream that was interrupted or ended."""
        if self._cutter is not None:
            self._put_clips(list(self._cutter.leave(stream)))

    def stop(self, seconds: float = 1.0) -> None:
        """Write what waits, for at most `seconds`, and close the file."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(seconds)

    def _put(self, record: Record) -> None:
        with self._changed:
            if len(self._records) >= _MOST_RECORDS:
                self._records.popleft()
                self.dropped += 1
            self._records.append(record)

    def _put_clips(self, clips: list[Clip]) -> None:
        if clips:
            with self._changed:
                self._clips.extend(clips)

    def _run(self) -> None:
        store: Store | None = None
        wait = 0.0
        while True:
            with self._changed:
                if not self._stopping:
                    self._changed.wait(wait)
                last = self._stopping
            try:
                if store is None:
                    store = Store(self._path, self._settings)
                self._write(store)
                self._tell("")
                wait = _ROUND_SECONDS
            except (sqlite3.Error, OSError) as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
                    logger.error("no history is kept: %s is damaged or is no history; move it away", self._path)
                    break
                self._tell(str(error))
                wait = _RETRY_SECONDS
            if last:
                break
        if store is not None:
            store.close()
        self._discard()

    def _write(self, store: Store) -> None:
        store.prune()
        with self._changed:
            records = list(self._records)
        if records:
            store.write(records)
            with self._changed:
                for record in records:
                    if self._records and self._records[0] is record:
                        self._records.popleft()
        while True:
            with self._changed:
                if not self._clips:
                    return
                clip = self._clips.popleft()
            self._keep(store, clip)

    def _keep(self, store: Store, clip: Clip) -> None:
        trouble = ""
        try:
            store.keep(clip)
        except (DiskFullError, OSError) as error:
            trouble = str(error)
        if bool(trouble) != bool(self._clip_trouble):
            if trouble:
                logger.warning("no clips are kept for now: %s", trouble)
            else:
                logger.info("clips are kept again")
        self._clip_trouble = trouble

    def _tell(self, trouble: str) -> None:
        if bool(trouble) != bool(self._trouble):
            if trouble:
                logger.warning("history %s cannot be written for now: %s", self._path, trouble)
            else:
                logger.info("history %s is written again", self._path)
        self._trouble = trouble

    def _discard(self) -> None:
        with self._changed:
            self.dropped += len(self._records)
            self._records.clear()
            self._clips.clear()
