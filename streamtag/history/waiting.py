"""What waits to be written, between the threads that tell of events and the one that owns the file."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from streamtag.history.clips import Clip
from streamtag.history.embeddings import Embedding
from streamtag.history.store import Record

__all__ = ["Waiting"]

_MOST_RECORDS: Final = 10_000
_MOST_CLIPS: Final = 32
_MOST_EMBEDDINGS: Final = 4_000
_WAITING_SHARE: Final = 0.1
_MOST_WAITS: Final = 4
"""So often in a row whoever waits may wait as long as it is ready to."""


class Waiting:
    """Bounded queues of records, clips and embeddings; the oldest are dropped where there are too many.

    Records that are dropped are counted.

    Attributes:
        dropped: Records that were dropped.
        is_stopping: Whether what waits is to be written for the last time.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self.is_stopping = False
        self._records: deque[Record] = deque()
        self._clips: deque[Clip] = deque(maxlen=_MOST_CLIPS)
        self._embeddings: deque[Embedding] = deque(maxlen=_MOST_EMBEDDINGS)
        self._changed = threading.Condition()
        self._is_refused = False
        self._taken = self._settled = 0  # records: that came, and that were written or dropped
        self._can_settle = False
        self._may_wait = float("inf")
        self._waited = time.monotonic()

    def __len__(self) -> int:
        return len(self._records)

    def put(self, record: Record) -> None:
        """Have a record wait, from any thread."""
        with self._changed:
            if self._is_refused:
                self.dropped += 1
                return
            if len(self._records) >= _MOST_RECORDS:
                self._drop_oldest(1)
            self._records.append(record)
            self._taken += 1
            self._changed.notify_all()

    def put_clips(self, clips: Iterable[Clip]) -> None:
        """Have clips wait, from any thread."""
        for clip in clips:
            with self._changed:
                self._clips.append(clip)
                self._changed.notify_all()

    def put_embedding(self, embedding: Embedding) -> None:
        """Have an embedding wait, from any thread; it is written with the next records, or after a while."""
        self._embeddings.append(embedding)

    def settle(self, seconds: float) -> bool:
        """See `History.settle`."""
        with self._changed:
            wanted, begin = self._taken, time.monotonic()
            self._may_wait = min(_MOST_WAITS * seconds, self._may_wait + _WAITING_SHARE * (begin - self._waited))
            limit = min(seconds, self._may_wait)
            if self._can_settle and self._settled < wanted and limit > 0:
                if not self._changed.wait_for(lambda: self._settled >= wanted or not self._can_settle, limit):
                    self._can_settle = False
                self._may_wait -= time.monotonic() - begin
            self._waited = time.monotonic()
            return self._can_settle and self._settled >= wanted

    def stop(self) -> None:
        """Have what waits written for the last time."""
        with self._changed:
            self.is_stopping = True
            self._changed.notify_all()

    def wait(self, seconds: float, *, for_more: bool) -> None:
        """Wait for the stop, or `for_more` too; for the thread that writes, as is all that follows."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.is_stopping or (for_more and bool(self._records or self._clips)), seconds
            )

    def write(self, write: Callable[[list[Record]], None]) -> None:
        """Have all records written; if that lets an error out they wait on, before what came meanwhile."""
        with self._changed:
            records = list(self._records)
            self._records.clear()
        if records:
            try:
                write(records)
            except BaseException:
                with self._changed:
                    self._records.extendleft(reversed(records))
                    self._drop_oldest(max(0, len(self._records) - _MOST_RECORDS))
                raise
        with self._changed:
            self._settled += len(records)
            self._can_settle = True
            self._changed.notify_all()

    def take_clips(self) -> list[Clip]:
        """Return the clips, which wait no longer."""
        with self._changed:
            clips = list(self._clips)
            self._clips.clear()
            return clips

    def write_embeddings(self, write: Callable[[list[Embedding]], None]) -> None:
        """Have all embeddings written; if that lets an error out those wait on for which there is room."""
        embeddings = [self._embeddings.popleft() for _ in range(len(self._embeddings))]
        try:
            if embeddings:
                write(embeddings)
        except BaseException:
            room = _MOST_EMBEDDINGS - len(self._embeddings)
            self._embeddings.extendleft(reversed(embeddings[-room:] if room else []))
            raise

    def hold(self) -> None:
        """Let nobody wait for the file, which cannot be written now."""
        with self._changed:
            self._can_settle = False
            self._changed.notify_all()

    def refuse(self, refused: bool) -> None:
        """Drop all from now on, for there is no file for it; or no longer."""
        with self._changed:
            self._is_refused = refused
            if refused:
                self._can_settle = False
                self._drop_oldest(len(self._records))
            self._changed.notify_all()

    def count_dropped(self) -> None:
        """Count a record as dropped that went to `write` and cannot be written by itself."""
        with self._changed:
            self.dropped += 1

    def _drop_oldest(self, count: int) -> None:
        for _ in range(count):
            self._records.popleft()
        self.dropped += count
        self._settled += count
