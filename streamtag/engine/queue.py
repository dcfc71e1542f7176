import math
import threading
import time
from collections import deque
from collections.abc import Sequence

from streamtag.audio import Patch
from streamtag.engine.stream import Action, EngineStream, Item, Pause

__all__ = ["StreamQueues", "Work"]

Work = tuple[EngineStream | None, Item]
"""A stream with what is next of it; None for what concerns all streams."""

_ALL_STREAMS = 4096
_ONE_STREAM = 128
_LEAST = 2  # no fewer, so that dropping the oldest never empties a queue
_LONGEST_WAIT_SECONDS = 10.0
_NOT_WAITING = math.inf


class StreamQueues:
    """The bounded queues between the threads that bring sound and the one that scores it.

    Each name of a stream has its own, so that a stream stands behind all of an earlier one of the same name. A full
    one drops the stream's oldest patch and counts it, or makes a source that can wait do so. The room is shared out:
    128 patches a stream, fewer when there are many streams, never fewer than 2. A patch that nobody took for 10 s is
    dropped and counted too, unless its source waits for room: live scores that come later are of no use. What is taken
    goes round the names, one patch each, so that none can crowd out another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        # By stream id, oldest first; with the time until which a patch is worth while.
        self._pending: dict[str, deque[tuple[EngineStream, Item, float]]] = {}
        self._turns: deque[str] = deque()  # ids with something pending, next first
        self._actions: deque[Action] = deque()
        self._patches = 0
        self._waiting_since = 0.0
        self._wake_at = _NOT_WAITING  # how many patches the taking thread waits for; 1: anything at all
        self._limit = _ONE_STREAM
        self._closed = False

    def share_among(self, streams: int) -> None:
        """Divide the room among so many streams."""
        with self._lock:
            self._limit = min(_ONE_STREAM, max(_LEAST, _ALL_STREAMS // max(1, streams)))

    def put(self, stream: EngineStream, items: Sequence[Item], *, wait: bool = False) -> None:
        """Add to a stream's queue; what comes for a stream that has left is ignored.

        Args:
            stream: whose.
            items: what follows, oldest first.
            wait: when the queue is full wait for room instead of dropping its oldest patch.
        """
        until = math.inf if wait else time.monotonic() + _LONGEST_WAIT_SECONDS
        with self._lock:
            for item in items:
                while wait and isinstance(item, Patch) and self._is_full(stream):
                    self._room.wait()
                if stream.has_left:
                    return
                if isinstance(item, Patch) and (stream.is_paused or stream.skips_next):
                    stream.paused_patches += 1
                    stream.skips_next = False
                    continue
                if isinstance(item, Patch):
                    if stream.pending_patches >= self._limit:
                        self._drop_oldest(stream)
                    stream.pending_patches += 1
                    self._patches += 1
                self._append(stream, item, until)

    def pause(self, stream: EngineStream, reason: str) -> None:
        """Take in no more patches of a stream until its reason is empty: then the first that began after that."""
        with self._lock:
            if stream.has_left or (not reason and not stream.is_paused):
                return
            stream.is_paused, stream.skips_next = bool(reason), not reason
            self._append(stream, Pause(reason), math.inf)
            self._room.notify_all()

    def leave(self, stream: EngineStream, last: Action) -> None:
        """Add the last that is to be done for a stream; nothing of it follows."""
        with self._lock:
            self._append(stream, last, math.inf)
            stream.has_left = True
            self._room.notify_all()

    def call(self, action: Action) -> None:
        """Have the taking thread do something before anything else that is pending."""
        with self._lock:
            self._actions.append(action)
            self._filled.notify()

    def take(self, most: int, linger: float, timeout: float) -> list[Work]:
        """Take what is next: first what was called for, then items of the streams in turn.

        Args:
            most: how many patches at most.
            linger: seconds that the oldest patch may have waited for others to join its batch.
            timeout: seconds to wait for anything at all.
        """
        with self._lock:
            if not (self._turns or self._actions or self._closed):
                self._wake_at = 1
                self._filled.wait(timeout)
                self._wake_at = _NOT_WAITING
            if linger > 0 and not self._actions:
                deadline = self._waiting_since + linger
                self._wake_at = most  # to be woken for each patch would cost more than the larger batch saves
                while 0 < self._patches < most and not self._closed and (left := deadline - time.monotonic()) > 0:
                    self._filled.wait(left)
                self._wake_at = _NOT_WAITING
            work: list[Work] = [(None, action) for action in self._actions]
            self._actions.clear()
            patches = 0
            now = time.monotonic()
            while self._turns and patches < most:
                id_ = self._turns.popleft()
                pending = self._pending[id_]
                stream, item, until = pending.popleft()
                is_too_late = isinstance(item, Patch) and until < now
                if isinstance(item, Patch):
                    stream.pending_patches -= 1
                    stream.dropped_patches += is_too_late
                    self._patches -= 1
                    patches += not is_too_late
                if pending:
                    self._turns.append(id_)
                else:
                    del self._pending[id_]
                if not is_too_late:
                    work.append((stream, item))
            self._waiting_since = now
            self._room.notify_all()
            return work

    def close(self) -> None:
        """Let nobody wait any longer, on either side; what is pending can still be taken."""
        with self._lock:
            self._closed = True
            self._filled.notify_all()
            self._room.notify_all()

    def _is_full(self, stream: EngineStream) -> bool:
        goes_on = stream.has_left or stream.is_paused or self._closed
        return stream.pending_patches >= self._limit and not goes_on

    def _append(self, stream: EngineStream, item: Item, until: float) -> None:
        pending = self._pending.get(stream.id)
        if pending is None:
            if not self._turns:
                self._waiting_since = time.monotonic()
            pending = self._pending[stream.id] = deque()
            self._turns.append(stream.id)
        pending.append((stream, item, until))
        if self._patches >= self._wake_at or self._wake_at == 1:
            self._filled.notify()

    def _drop_oldest(self, stream: EngineStream) -> None:
        pending = self._pending[stream.id]
        patches = (
            place for place, (whose, item, _) in enumerate(pending) if whose is stream and isinstance(item, Patch)
        )
        del pending[next(patches)]
        stream.pending_patches -= 1
        stream.dropped_patches += 1
        self._patches -= 1
