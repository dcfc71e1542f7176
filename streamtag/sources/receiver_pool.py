"""Sources that other processes receive: hundreds of network streams would wait for one interpreter, and a decoder that
a broken or hostile one brings down takes nothing with it but what is received in the same process.

A recording has a process of its own: it fails with it, unless it is played for ever. So has a microphone, because a
sound system that hangs holds up whatever else is in its process; one that gives nothing any more is received again by
a fresh one. Network streams share processes and are received again by another one. Those that were lost together come
back in smaller companies, at last alone: whichever brought them down does so at most twice to any neighbour, and is
left longer and longer then.
"""

import random
import threading
import time
from contextlib import suppress
from functools import partial
from itertools import count
from queue import SimpleQueue
from typing import Any, Final, Protocol

import msgspec

from streamtag.audio.block import Block
from streamtag.backoff import Backoff
from streamtag.process import LinkError, Process, SilentError
from streamtag.redaction import redact
from streamtag.source_kinds import kind_of
from streamtag.sources.live_source import next_delay
from streamtag.sources.receiver_messages import Alive, Close, End, More, Open, Order, Sound, State, Word, block_of
from streamtag.sources.source import Timeouts
from streamtag.threads import Worker

__all__ = ["Listener", "ReceivedSource", "ReceiverPool"]

_MOST_SOURCES = 50  # a process, where one thread decodes for all of them
_PARTS = 8  # into which those are divided that were lost together
# Whoever was received for so long is brought back with the shortest delay when its process is lost.
_SETTLED_SECONDS = 60.0
_PROVEN_SECONDS = 3600.0
# Between the tries of whoever brings down its process alone: twice as long each time.
_ALONE: Final = Backoff(2.0, 3600.0)
_SILENT_SECONDS = 60.0


class Listener(Protocol):
    """Who hears of a source, from one thread at a time; lets no error out."""

    def add_block(self, block: Block, *, waits: bool) -> None:
        """Take the next sound; a source that `waits` gives no more before this returns."""

    def set_state(self, state: str, reason: str) -> None:
        """Hear of a new state, as `OnState`."""

    def end(self, failure: str | None) -> None:
        """Hear that nothing more comes: None, or why the source cannot be read."""


class ReceivedSource:
    """One source; made by `ReceiverPool`."""

    def __init__(self, uri: str, options: dict[str, Any], listener: Listener, receivers: "ReceiverPool") -> None:
        self.name = redact(uri)
        kind = kind_of(uri)
        assert kind is not None
        self.ends_with_receiver = not kind.is_live and not options.get("loop")
        self.hangs = kind.hangs
        self.company = _MOST_SOURCES if kind.received == "together" else 1
        """How many sources at most, itself included, may share a process with it; all of them alike."""
        self.closed = False
        self.number = -1
        self.receiver: _Receiver | None = None
        self.due = 0.0
        self._uri = uri
        self._options = options
        self._listener = listener
        self._receivers = receivers
        self._delay = 0.0
        self._crashes = 0  # of a process that received nothing else
        self._begun = 0.0
        self._placed_number = -1  # under which the last block came
        self._shift_seconds = 0.0
        self._end_seconds = 0.0  # where it stands in the stream, and by the clock
        self._end_time: float | None = None
        self._waiting: SimpleQueue[tuple[_Receiver | None, Word, Block | None]] | None = None
        self._heard = 0  # words that went through `_waiting`
        self._dispatched = 0

    def close(self) -> None:
        """Ask it to end; may be called from any thread, and more than once."""
        self._receivers.close_one(self)

    def begin(self, number: int, receiver: "_Receiver") -> Open:
        """Count as received from now on; return the order for it."""
        self.number, self.receiver = number, receiver
        self._begun = time.monotonic()
        return Open(number, self._uri, **self._options)

    def lose(self, together: int) -> None:
        """Count as lost from now on, with all who were received in one process; know when to be brought back."""
        now = time.monotonic()
        if now - self._begun > _SETTLED_SECONDS:
            self._delay = 0.0
        alone = together == 1 and self.receiver is not None and not self.hangs
        if not alone or now - self._begun > _PROVEN_SECONDS:
            self._crashes = 0
        self._crashes += alone
        if self.company > 1 and self.receiver is not None:
            proven = now - self._begun > _PROVEN_SECONDS
            self.company = max(1, (_MOST_SOURCES if proven else together) // _PARTS)
        self._delay = next_delay(self._delay, Timeouts())
        self.receiver, self.due = None, now + (self._receivers.pause(self._crashes) if alone else self._delay)
        self._begun = self.due  # where no process can be started, it was lost again at once

    @property
    def is_behind(self) -> bool:
        """Whether it waits for its listener, and not the other way round."""
        return self._heard != self._dispatched

    def hear(self, word: Word, block: Block | None = None) -> None:
        """Pass on what its receiver says, or what is said of that; `block` is what came with a word of sound."""
        if self._waiting is None and isinstance(word, Sound) and word.waits:
            self._waiting = SimpleQueue()
            Worker("recording", self._pass_on).start()
        if self._waiting is None:
            self._dispatch(word, block)
        else:
            self._heard += 1
            self._waiting.put((self.receiver, word, block))

    def _pass_on(self) -> None:
        """Tell the listener, who may take his time, in a thread of its own."""
        assert self._waiting is not None
        word: Word | None = None
        while not isinstance(word, End):
            receiver, word, block = self._waiting.get()
            self._dispatch(word, block)
            if isinstance(word, Sound) and word.waits and receiver is not None:
                receiver.order(More(word.number))
            self._dispatched += 1

    def _dispatch(self, word: Word, block: Block | None) -> None:
        match word:
            case Sound() if block is not None:
                self._listener.add_block(self._placed(word.number, block), waits=word.waits)
            case State():
                self._listener.set_state(word.state, word.reason)
            case End():
                self._listener.end(word.failure)

    def _placed(self, number: int, block: Block) -> Block:
        """A new process counts anew; the stream goes on, and what was lost between shows as a jump."""
        seconds = len(block.samples) / block.rate
        if number != self._placed_number:
            self._placed_number = number
            if self._end_time is not None:
                away = max(0.0, block.time - seconds - self._end_time)
                self._shift_seconds = self._end_seconds + away - block.start / block.rate
        if self._shift_seconds:
            block = msgspec.structs.replace(block, start=block.start + round(self._shift_seconds * block.rate))
        self._end_seconds = block.start / block.rate + seconds
        self._end_time = block.time
        return block


class _Receiver:
    """A process, and what it receives."""

    def __init__(self) -> None:
        self.process = Process("streamtag.sources.receiver_process", Word)
        self.sources: dict[int, ReceivedSource] = {}
        self.ending = False

    def has_room_for(self, received: ReceivedSource) -> bool:
        """Whether it takes another source."""
        alike = all(source.company == received.company for source in self.sources.values())
        return not self.ending and alike and len(self.sources) < received.company

    def order(self, order: Order) -> None:
        """Send an order, if there is still somebody to read it."""
        with suppress(OSError):
            self.process.link.send(order)

    def end(self, cause: str) -> str:
        """End the process, if it has not ended by itself; say which of the two it was."""
        if cause:
            self.process.kill()
        how = self.process.end()
        return cause or f"crashed ({how})"


class _HungError(Exception):
    """A microphone gives nothing any more: whatever holds it up goes with its process."""


class ReceiverPool:
    """As many processes as the sources need that are open."""

    def __init__(self, alone: Backoff = _ALONE, silent_seconds: float = _SILENT_SECONDS) -> None:
        """Begin with no process.

        Args:
            alone: for how long what brings down a process alone is left alone.
            silent_seconds: for how long a process may give no sign of life before it is ended.
        """
        self._alone = alone
        self._silent_seconds = silent_seconds
        self._changed = threading.Condition()  # over all that follows, and each source's place
        self._receivers: dict[_Receiver, Worker] = {}
        self._numbers = count()

    def open(self, uri: str, options: dict[str, Any], listener: Listener) -> ReceivedSource:
        """Receive a source from now on until it ends or is closed.

        Args:
            uri: as for `open_source`; must be a network stream or a recording.
            options: of `open_source`, but for `on_state`.
            listener: told everything, of errors too.
        """
        received = ReceivedSource(uri, options, listener, self)
        self._assign(received)
        return received

    def pause(self, crashes: int) -> float:
        """Return for how many seconds to leave alone what crashed so many processes that received nothing else."""
        first, longest = self._alone
        return min(longest, first * 2.0 ** min(crashes - 1, 30) * random.uniform(1.0, 1.5))  # noqa: S311 - no secret

    def close_one(self, received: ReceivedSource) -> None:
        """See `ReceivedSource.close`."""
        with self._changed:
            received.closed = True
            if received.receiver is not None:
                received.receiver.order(Close(received.number))
            self._changed.notify_all()

    def close(self, seconds: float) -> None:
        """End all processes within `seconds`; every source is closed already."""
        deadline = time.monotonic() + seconds
        with self._changed:
            receivers = dict(self._receivers)
        for receiver in receivers:
            receiver.process.kill()
        for thread in receivers.values():
            thread.join(deadline - time.monotonic())

    def _assign(self, received: ReceivedSource) -> None:
        try:
            with self._changed:
                receiver = next((r for r in self._receivers if r.has_room_for(received)), None) or self._start()
                order = received.begin(next(self._numbers), receiver)
                receiver.sources[received.number] = received
                receiver.order(order)
                if received.closed:
                    receiver.order(Close(received.number))
        except OSError as error:
            self._lose([received], f"no process could be started to receive it: {error.strerror}")

    def _start(self) -> _Receiver:
        receiver = _Receiver()
        failed = partial(self._let_go, receiver, "met with an internal error")
        thread = Worker("receiver", partial(self._listen, receiver), on_failure=lambda _: failed())
        self._receivers[receiver] = thread
        thread.start()
        return receiver

    def _listen(self, receiver: _Receiver) -> None:
        cause = ""
        try:
            while not receiver.ending:
                self._pass_on_next(receiver)
            cause = "is no longer needed"
        except _HungError:
            cause = "was ended, because its sound system may hang"
        except SilentError:
            cause = f"gave no sign of life for {self._silent_seconds:g} s"
        except LinkError as error:
            cause = f"sent what nobody understands ({error})"
        except EOFError:
            pass
        self._let_go(receiver, cause)

    def _let_go(self, receiver: _Receiver, cause: str) -> None:
        """End a process; what it received for ever is received by another one."""
        with self._changed:
            receiver.ending = True
        cause = receiver.end(cause)
        with self._changed:
            del self._receivers[receiver]
        lost = list(receiver.sources.values())
        for received in lost:
            if received.ends_with_receiver:
                received.hear(End(received.number, f"{received.name}: its decoder {cause}"))
        self._lose([received for received in lost if not received.ends_with_receiver], f"its receiver {cause}")

    def _pass_on_next(self, receiver: _Receiver) -> None:
        try:
            word, payload = receiver.process.link.receive(self._silent_seconds)
        except SilentError:
            with self._changed:
                if any(source.is_behind for source in receiver.sources.values()):
                    return
            raise
        if isinstance(word, Alive):
            return
        received = receiver.sources.get(word.number)
        if received is None:
            raise LinkError("nobody's sound")
        received.hear(word, block_of(word, payload) if isinstance(word, Sound) else None)
        if received.hangs and isinstance(word, State) and word.state == "stalled" and not received.closed:
            raise _HungError
        if isinstance(word, End):
            with self._changed:
                receiver.sources.pop(word.number).receiver = None
                receiver.ending = not receiver.sources

    def _lose(self, lost: list[ReceivedSource], reason: str) -> None:
        if not lost:
            return
        with self._changed:
            for received in lost:
                received.lose(len(lost))
        for received in lost:
            if not received.closed:
                received.hear(State(received.number, "reconnecting", reason))
        # Anew if need be: what is brought back already is no longer in `lost`.
        Worker("lost", partial(self._bring_back, lost)).start()

    def _bring_back(self, lost: list[ReceivedSource]) -> None:
        while lost:
            with self._changed:
                pause = min(received.due for received in lost) - time.monotonic()
                self._changed.wait_for(lambda: any(received.closed for received in lost), max(0.0, pause))
            now = time.monotonic()
            for received in [received for received in lost if received.closed or received.due <= now]:
                if received.closed:
                    received.hear(End(received.number, None))
                else:
                    self._assign(received)
                lost.remove(received)
