"""All streams of a service: which thread scores each, and what is counted of those that are gone."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from streamtag.engine.inference import Inference
from streamtag.engine.stream import EngineStream
from streamtag.model import DEFAULT

__all__ = ["Streams"]


class Streams:
    """The table of a service's streams; any thread may add and remove, and ask.

    Attributes:
        changed: set when a stream was added or removed; whoever tells of it clears it.
    """

    def __init__(self, workers: Sequence[Inference], most: int, forget: Callable[[str], None]) -> None:
        """Make an empty table.

        Args:
            workers: the threads that score; each new stream goes to the one with the fewest.
            most: how many streams there may be.
            forget: told the name of a stream that has gone, once its last scores and messages are on their way.
        """
        self.changed = threading.Event()
        self._workers = workers
        self._most = most
        self._forget = forget
        self._shares = [0] * len(workers)
        self._streams: dict[str, EngineStream] = {}
        self._leaving: dict[str, EngineStream] = {}  # removed, and not yet scored to their end
        self._dropped_before = 0  # patches of streams that are gone
        self._lock = threading.Lock()

    def add(self, name: str, source: str, *, model: str = DEFAULT, is_private: bool = False) -> EngineStream | None:
        """Make a stream and have it scored from now on; None where its name is taken, or no more can be served."""
        with self._lock:
            if name in self._streams or len(self._streams) >= self._most:
                return None
            before = self._leaving.get(name)  # what is still told of it must come first: so they share a queue
            number = self._number_of(before) if before else self._shares.index(min(self._shares))
            self._share(number, 1)
            worker = self._workers[number]
            stream = self._streams[name] = worker.make_stream(name, source, model)
            stream.is_private = is_private
        stream.queue.put([partial(worker.add, stream)])
        self.changed.set()
        return stream

    def remove(self, name: str) -> None:
        """Let a stream go once all that waits of it is scored; nothing where there is none of this name."""
        with self._lock:
            stream = self._streams.pop(name, None)
            if stream is None:
                return
            self._leaving[name] = stream
            number = self._number_of(stream)
            self._share(number, -1)
            worker = self._workers[number]

        def let_go() -> None:
            worker.remove(stream)
            self._forget(name)
            with self._lock:
                self._dropped_before += stream.queue.dropped_patches
                if self._leaving.get(name) is stream:
                    del self._leaving[name]

        stream.queue.leave(let_go)
        self.changed.set()

    def get(self, name: str) -> EngineStream | None:
        """Return the stream of a name, if there is one."""
        with self._lock:
            return self._streams.get(name)

    def all(self) -> list[EngineStream]:
        """Return the streams that there are now, in the order in which they were added."""
        with self._lock:
            return list(self._streams.values())

    @property
    def dropped_patches(self) -> int:
        """How many patches of all streams were dropped, those that are gone included."""
        with self._lock:
            there = [*self._streams.values(), *self._leaving.values()]
            return self._dropped_before + sum(stream.queue.dropped_patches for stream in there)

    def count_states(self) -> Counter[str]:
        """Count the streams in each state, those of visitors of the page left out."""
        return Counter(stream.told.state for stream in self.all() if not stream.is_private)

    def _share(self, number: int, more: int) -> None:
        self._shares[number] += more
        self._workers[number].queues.share_among(self._shares[number])

    def _number_of(self, stream: EngineStream) -> int:
        """Return the number of the worker that scores a stream."""
        return next(number for number, worker in enumerate(self._workers) if worker.scores(stream))
