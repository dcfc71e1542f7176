"""A process that receives sources for another one, and may be brought down by them; `receiver_pool.py` starts it.

It does as it is ordered over its link until nobody orders any more. Network sources, of which it has many, are
decoded by one thread in turns; a recording, of which it has one, by a thread that waits where it is told to. A
microphone is taken as a network source is, and is the only one in its process.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn, Protocol, cast

from streamtag.audio.block import Block
from streamtag.errors import StreamtagError
from streamtag.process import Link, LinkError, limit_memory, link_from_arguments
from streamtag.redaction import redact
from streamtag.source_kinds import kind_of
from streamtag.sources import LiveSource, Source, open_source
from streamtag.sources.receiver_messages import AHEAD, Alive, Close, End, More, Open, Order, State, Word, sound_of
from streamtag.sources.task_thread import TaskThread
from streamtag.sources.timeline import now
from streamtag.threads import Worker

logger = logging.getLogger(__name__)

_NETWORK_BYTES = 2 << 30
_RECORDING_BYTES = 1 << 30
_ALIVE_SECONDS = 2.0
_LONG_SECONDS = 3600.0
# What the threads of hundreds of connections reserve counts as taken.
_STACK_BYTES = 1 << 20


class _Receiving(Protocol):
    def more(self) -> None:
        """Hear that a block was taken."""

    def close(self) -> None:
        """End; called by the thread that takes orders."""


class _Sending:
    """What goes back for one source."""

    def __init__(self, number: int, link: Link, on_end: Callable[[], object]) -> None:
        self._number = number
        self._link = link
        self._on_end = on_end
        self._sent = 0
        self._taken = 0  # each of the two is counted by one thread

    @property
    def is_ahead(self) -> bool:
        """Whether as much is on its way as a source that can wait may send."""
        return self._sent - self._taken >= AHEAD

    def count_taken(self) -> None:
        """Count a block that was sent as taken."""
        self._taken += 1

    def sound(self, block: Block, *, waits: bool) -> None:
        """Send a block, one that counts where the source `waits`."""
        self._sent += waits
        word, samples = sound_of(self._number, block, waits=waits)
        with suppress(OSError):  # whoever listened is gone, and so are we at once
            self._link.send(word, samples)

    def state(self, state: str, reason: str) -> None:
        """Send a new state, as `OnState`."""
        self._send(State(self._number, cast(Any, state), reason))

    def end(self, failure: str | None) -> None:
        """Send that nothing more comes."""
        self._on_end()
        self._send(End(self._number, failure))

    def _send(self, word: Word) -> None:
        with suppress(OSError):
            self._link.send(word)


def _failure(error: Exception) -> str:
    if isinstance(error, StreamtagError):
        return str(error)
    logger.error("reading failed", exc_info=error)
    return f"internal error: {type(error).__name__}: {error}"


class _Connection:
    """A source that comes back, read in turns with others."""

    def __init__(self, order: Open, sending: _Sending, loop: TaskThread) -> None:
        self._order = order
        self._sending = sending
        self._loop = loop
        self._source: LiveSource | None = None
        self._closed = False
        self._steps = self._read()
        loop.add(self)

    def step(self) -> float | None:
        """Read a little, as a task of `TaskThread`."""
        return next(self._steps, None)

    def more(self) -> None:
        self._sending.count_taken()
        self._loop.wake(self)

    def close(self) -> None:
        self._closed = True
        if self._source is not None:
            self._source.close()
        self._loop.wake(self)

    def _read(self) -> Iterator[float]:
        failure = None
        try:
            yield from self._read_all()
        except MemoryError:
            # Who of all those that are received here takes it is not known: elsewhere they are received apart.
            logger.error("too little memory for what is received")
            os._exit(1)
        except Exception as error:
            failure = _failure(error)
        self._sending.end(failure)

    def _read_all(self) -> Iterator[float]:
        source = open_source(self._order.uri, on_state=self._sending.state, **self._order.options())
        assert isinstance(source, LiveSource)
        source.on_wake = partial(self._loop.wake, self)
        self._source = source
        try:
            if self._closed:  # before there was a source that could be closed
                return
            for step in source.steps():
                if not isinstance(step, Block):
                    yield step
                    continue
                self._sending.sound(step, waits=source.is_recording)
                yield now()
                while source.is_recording and self._sending.is_ahead and not self._closed:
                    yield now() + _LONG_SECONDS
        finally:
            source.close()


class _Recording:
    """A recording, which has a thread of its own."""

    def __init__(self, order: Open, sending: _Sending) -> None:
        self._order = order
        self._sending = sending
        self._source: Source | None = None
        self._closed = False
        self._changed = threading.Condition()
        Worker("recording", self._run, on_failure=lambda _: os._exit(1)).start()

    def more(self) -> None:
        with self._changed:
            self._sending.count_taken()
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            if self._source is not None:
                self._source.close()
            self._changed.notify()

    def _run(self) -> None:
        failure = None
        try:
            self._read()
        except MemoryError:
            failure = f"{redact(self._order.uri)}: its decoder needs more memory than it may have"
        except Exception as error:
            failure = _failure(error)
        self._sending.end(failure)

    def _read(self) -> None:
        waits = not self._order.realtime
        with open_source(self._order.uri, on_state=self._sending.state, **self._order.options()) as source:
            with self._changed:
                self._source = source
            if self._closed:  # before there was a source that could be closed
                return
            for block in source:
                self._sending.sound(block, waits=waits)
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or not (waits and self._sending.is_ahead))


class _Pulse:
    """Says now and then that the thread that decodes goes on, whatever the decoders do."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def step(self) -> float:
        """Say it, as a task of `TaskThread`."""
        with suppress(OSError):
            self._link.send(Alive())
        return now() + _ALIVE_SECONDS


def _serve(link: Link) -> None:
    """Do as ordered until nobody orders any more."""
    loop: TaskThread | None = None
    receiving: dict[int, _Receiving] = {}
    while True:
        order, _ = link.receive()
        sending = _Sending(order.number, link, partial(receiving.pop, order.number, None))
        match order:
            case Open() if (kind := kind_of(order.uri)) is not None and kind.is_live:
                if loop is None:
                    threading.stack_size(_STACK_BYTES)
                    loop = TaskThread("receiver")
                    loop.start()
                    loop.add(_Pulse(link))
                    limit_memory(_NETWORK_BYTES)
                receiving[order.number] = _Connection(order, sending, loop)
            case Open():
                limit_memory(_RECORDING_BYTES)
                receiving[order.number] = _Recording(order, sending)
            case More() if order.number in receiving:
                receiving[order.number].more()
            case Close() if order.number in receiving:
                receiving.pop(order.number).close()


def main() -> NoReturn:
    """Receive as ordered until nobody orders any more."""
    with suppress(EOFError, LinkError):
        _serve(link_from_arguments(Order))
    os._exit(0)  # threads that hang in a library are not waited for
