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
            number = self._number_of(before) if before else self._least_of(range(len(self._workers)))
            self._share(number, 1)
            stream = self._streams[name] = self._workers[number].make_stream(name, source, model)
            stream.is_private = is_private
            stream.queue.put([partial(self._begin, stream)])
        self.changed.set()
        return stream

    def remove(self, name: str) -> None:
        """Let a stream go once all that waits of it is scored; nothing where there is none of this name."""
        with self._lock:
            stream = self._streams.pop(name, None)
            if stream is None:
                return
            self._leaving[name] = stream
            self._share(self._number_of(stream), -1)

        def let_go() -> None:
            self._worker_of(stream).remove(stream)
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

    def leave(self, worker: Inference) -> None:
        """Have others score the streams of a thread that cannot, as evenly as may be; called in it, while it rests."""
        number = self._workers.index(worker)
        with self._lock:
            others = [other for other, each in enumerate(self._workers) if other != number and each.is_ready]
            if others:
                for name in self._names_of(number):
                    self._move(name, number, self._least_of(others))

    def join(self, worker: Inference) -> None:
        """Let a thread that can score again have its share of the streams; from any thread."""
        number = self._workers.index(worker)
        with self._lock:
            ready = [other for other, each in enumerate(self._workers) if each.is_ready]
            fair = sum(self._shares[other] for other in ready) // max(1, len(ready))
        for other in ready:
            if other != number and self._shares[other] > fair:
                self._workers[other].call_at_rest(partial(self._give, other, number, fair))

    def _give(self, number: int, to: int, keep: int) -> None:
        with self._lock:
            for name in self._names_of(number)[keep:] if self._workers[to].is_ready else ():
                self._move(name, number, to)

    def _move(self, name: str, number: int, to: int) -> None:
        """Let another thread go on with all streams of a name, from the first thing that waits of them on."""
        worker, other = self._workers[number], self._workers[to]
        newest = self._streams.get(name) or self._leaving[name]
        stream = worker.give_up(name)
        for table in (self._leaving, self._streams):
            if name in table:  # before the other thread sees a patch of it
                table[name].stage = other.stage_like(table[name].stage)
        worker.queues.move(newest.queue, other.queues, partial(other.take_over, stream))
        if name in self._streams:
            self._share(number, -1)
            self._share(to, 1)

    def _begin(self, stream: EngineStream) -> None:
        self._worker_of(stream).add(stream)

    def _share(self, number: int, more: int) -> None:
        self._shares[number] += more
        self._workers[number].queues.share_among(self._shares[number])

    def _least_of(self, numbers: Sequence[int]) -> int:
        """Return which of these workers has the fewest streams; of those that can score, where there are any."""
        ready = [number for number in numbers if self._workers[number].is_ready]
        return min(ready or numbers, key=self._shares.__getitem__)

    def _names_of(self, number: int) -> list[str]:
        there = {**self._leaving, **self._streams}
        return [name for name, stream in there.items() if self._workers[number].scores(stream)]

    def _worker_of(self, stream: EngineStream) -> Inference:
        return self._workers[self._number_of(stream)]

    def _number_of(self, stream: EngineStream) -> int:
        """Return the number of the worker that scores a stream."""
        return next(number for number, worker in enumerate(self._workers) if worker.scores(stream))
