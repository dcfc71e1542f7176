import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from streamtag.audio import LOG_MEL_GEOMETRY, PATCH_SAMPLES, Geometry, Patch
from streamtag.engine.times import USUAL_TIMES
from streamtag.intake import Item, Pause

__all__ = ["Action", "StreamQueue", "StreamQueues", "Work"]

Stream = TypeVar("Stream")

Action = Callable[[], None]
"""Something that the taking thread does when it comes to it."""

Work = tuple[Stream | None, Item | Action]
"""A stream with what is next of it; None for what concerns all streams."""

_ALL_STREAMS = 4096
_ONE_STREAM = 128
_LEAST = 2  # no fewer, so that dropping the oldest never empties a queue
_NOT_WAITING = math.inf


class StreamQueue(Generic[Stream]):
    """One stream's place in the queues, and what is counted of it there; made by `StreamQueues.open`.

    Attributes:
        name: the stream's name.
        stream: whose it is.
        geometry: of its patches.
        pending_patches: how many wait.
        dropped_patches: how many were dropped.
        paused_patches: how many were not to be scored.
        is_paused: whether no patch is taken in now.
        has_left: whether nothing of the stream is taken in any more.
    """

    def __init__(self, queues: "StreamQueues[Stream]", name: str, stream: Stream, geometry: Geometry) -> None:
        self.name = name
        self.stream = stream
        self.geometry = geometry
        self.pending_patches = 0
        self.dropped_patches = 0
        self.paused_patches = 0
        self.is_paused = False
        self.skips_next = False  # the patch that began before it was resumed
        self.has_left = False
        self._queues = queues

    def belongs_to(self, queues: "StreamQueues[Stream]") -> bool:
        """Tell whether it is one of these."""
        return self._queues is queues

    def move_to(self, queues: "StreamQueues[Stream]") -> None:
        """Be one of these from now on; for `StreamQueues.move`, which holds both locks."""
        self._queues = queues

    def put(self, items: Sequence[Item | Action], *, wait: bool = False) -> None:
        """Add what follows, oldest first; what comes after the stream has left is ignored.

        Args:
            items: what follows.
            wait: when the queue is full wait for room instead of dropping its oldest patch.
        """
        rest: Sequence[Item | Action] = items
        while rest:  # what could not be put where the stream is no longer goes where it was moved
            rest = self._queues.put(self, rest, wait=wait)

    def pause(self, reason: str) -> None:
        """Take in no more patches until the reason is empty: then the first that began after that."""
        while not self._queues.pause(self, reason):
            pass

    def count_dropped(self, patches: int = 1) -> None:
        """Count patches that were taken and could not be scored."""
        self._queues.count_dropped(self, patches)

    def leave(self, last: Action) -> None:
        """Add the last that is to be done for the stream; nothing of it follows."""
        while not self._queues.leave(self, last):
            pass


class StreamQueues(Generic[Stream]):
    """The bounded queues between the threads that bring sound and the one that scores it.

    Each name of a stream has its own, so that a stream stands behind all of an earlier one of the same name. A full
    one drops the stream's oldest patch and counts it, or makes a source that can wait do so. The room is shared out:
    128 patches a stream, fewer when there are many streams or patches are long, never fewer than 2. A patch that nobody
    took for 10 s is dropped and counted too, unless its source waits for room: live scores that come later are of no
    use. What is taken goes round the names, one patch each, so that none can crowd out another.
    """

    def __init__(self, longest_wait_seconds: float = USUAL_TIMES.longest_wait) -> None:
        self._longest_wait = longest_wait_seconds
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        # By a stream's name, oldest first; with the time until which a patch is worth while.
        self._pending: dict[str, deque[tuple[StreamQueue[Stream], Item | Action, float]]] = {}
        self._round_robin: deque[str] = deque()  # names with something pending, next first
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

    def open(self, name: str, stream: Stream, geometry: Geometry = LOG_MEL_GEOMETRY) -> StreamQueue[Stream]:
        """Make a stream's queue; its patches will be of this geometry."""
        return StreamQueue(self, name, stream, geometry)

    def put(
        self, queue: StreamQueue[Stream], items: Sequence[Item | Action], *, wait: bool = False
    ) -> Sequence[Item | Action]:
        """Add to a stream's queue, as its own `put`; return what is left because the stream was moved meanwhile."""
        until = math.inf if wait else time.monotonic() + self._longest_wait
        with self._lock:
            for index, item in enumerate(items):
                while wait and isinstance(item, Patch) and self._is_full(queue):
                    self._room.wait()
                if not queue.belongs_to(self):
                    return items[index:]
                if queue.has_left:
                    return ()
                if isinstance(item, Patch) and (queue.is_paused or queue.skips_next):
                    queue.paused_patches += 1
                    queue.skips_next = False
                    continue
                if isinstance(item, Patch):
                    while queue.pending_patches >= self._limit_of(queue):  # more, where it was moved here
                        self._drop_oldest(queue)
                    queue.pending_patches += 1
                    self._patches += 1
                self._append(queue, item, until)
            return ()

    def pause(self, queue: StreamQueue[Stream], reason: str) -> bool:
        """Pause a stream, as its queue's own `pause`; return whether it is here."""
        with self._lock:
            if not queue.belongs_to(self):
                return False
            if queue.has_left or (not reason and not queue.is_paused):
                return True
            queue.is_paused, queue.skips_next = bool(reason), not reason
            self._append(queue, Pause(reason), math.inf)
            self._room.notify_all()
            return True

    def leave(self, queue: StreamQueue[Stream], last: Action) -> bool:
        """Add the last of a stream, as its queue's own `leave`; return whether it is here."""
        with self._lock:
            if not queue.belongs_to(self):
                return False
            self._append(queue, last, math.inf)
            queue.has_left = True
            self._room.notify_all()
            return True

    def move(self, queue: StreamQueue[Stream], to: "StreamQueues[Stream]", first: Action) -> None:
        """Give all that is of a queue's name to another thread's queues; `first` is done there before what waits.

        For the thread that takes from here, at a moment at which it has worked off what it took.
        """
        one, other = sorted((self, to), key=id)
        with one._lock, other._lock:
            waiting = self._pending.pop(queue.name, deque())
            if waiting:
                self._round_robin.remove(queue.name)
            for each in {queue, *(whose for whose, _, _ in waiting)}:
                each.move_to(to)
                self._patches -= each.pending_patches
                to._patches += each.pending_patches
            for whose, item, until in [(queue, first, math.inf), *waiting]:
                to._append(whose, item, until)
            self._room.notify_all()  # who waits for room looks for it where the stream is now

    def count_dropped(self, queue: StreamQueue[Stream], patches: int) -> None:
        """Count patches, as the queue's own `count_dropped`."""
        with self._lock:
            queue.dropped_patches += patches

    def call(self, action: Action) -> None:
        """Have the taking thread do something before anything else that is pending."""
        with self._lock:
            self._actions.append(action)
            self._filled.notify()

    def get(self, most: int, linger: float, timeout: float) -> list[Work[Stream]]:
        """Take what is next: first what was called for, then items of the streams in turn.

        Args:
            most: how many patches at most.
            linger: seconds that the oldest patch may have waited for others to join its batch.
            timeout: seconds to wait for anything at all.
        """
        with self._lock:
            if not (self._round_robin or self._actions or self._closed):
                self._wake_at = 1
                self._filled.wait(timeout)
                self._wake_at = _NOT_WAITING
            if linger > 0 and not self._actions:
                deadline = self._waiting_since + linger
                self._wake_at = most  # to be woken for each patch would cost more than the larger batch saves
                while 0 < self._patches < most and not self._closed and (left := deadline - time.monotonic()) > 0:
                    self._filled.wait(left)
                self._wake_at = _NOT_WAITING
            work: list[Work[Stream]] = [(None, action) for action in self._actions]
            self._actions.clear()
            patches = 0
            now = time.monotonic()
            while self._round_robin and patches < most:
                name = self._round_robin.popleft()
                pending = self._pending[name]
                queue, item, until = pending.popleft()
                is_too_late = isinstance(item, Patch) and until < now
                if isinstance(item, Patch):
                    queue.pending_patches -= 1
                    queue.dropped_patches += is_too_late
                    self._patches -= 1
                    patches += not is_too_late
                if pending:
                    self._round_robin.append(name)
                else:
                    del self._pending[name]
                if not is_too_late:
                    work.append((queue.stream, item))
            self._waiting_since = now
            self._room.notify_all()
            return work

    def close(self) -> None:
        """Let nobody wait any longer, on either side; what is pending can still be taken."""
        with self._lock:
            self._closed = True
            self._filled.notify_all()
            self._room.notify_all()

    def _is_full(self, queue: StreamQueue[Stream]) -> bool:
        is_here = queue.belongs_to(self)
        return is_here and queue.pending_patches >= self._limit_of(queue) and not (queue.has_left or self._closed)

    def _limit_of(self, queue: StreamQueue[Stream]) -> int:
        return max(_LEAST, self._limit * PATCH_SAMPLES // max(PATCH_SAMPLES, queue.geometry.samples))

    def _append(self, queue: StreamQueue[Stream], item: Item | Action, until: float) -> None:
        pending = self._pending.get(queue.name)
        if pending is None:
            if not self._round_robin:
                self._waiting_since = time.monotonic()
            pending = self._pending[queue.name] = deque()
            self._round_robin.append(queue.name)
        pending.append((queue, item, until))
        if self._patches >= self._wake_at or self._wake_at == 1:
            self._filled.notify()

    def _drop_oldest(self, queue: StreamQueue[Stream]) -> None:
        pending = self._pending[queue.name]
        patches = (
            index for index, (whose, item, _) in enumerate(pending) if whose is queue and isinstance(item, Patch)
        )
        del pending[next(patches)]
        queue.pending_patches -= 1
        queue.dropped_patches += 1
        self._patches -= 1
