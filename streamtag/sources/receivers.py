"""Network sources in processes of their own: hundreds of them would wait for one interpreter.

A decoder that a broken stream brings down takes nothing with it but what is received in the same process, and that is
received again by another one.
"""

import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from itertools import count
from multiprocessing.connection import Connection
from typing import Any, Protocol

import msgspec

from streamtag.audio.block import Block
from streamtag.sources.retry import next_delay
from streamtag.sources.source import Patience
from streamtag.threads import Worker

__all__ = ["Listener", "Received", "Receivers"]

_MOST_SOURCES = 50  # a process, where one thread decodes for all of them
# Whoever was received for so long is brought back with the shortest delay when its process is lost.
_SETTLED_SECONDS = 60.0


class Listener(Protocol):
    """Who hears of a source, from one thread at a time; lets no error out."""

    def take(self, block: Block) -> None:
        """Take the next sound."""

    def tell(self, state: str, reason: str) -> None:
        """Hear of a new state, as `OnState`."""

    def end(self, failure: str | None) -> None:
        """Hear that nothing more comes: None, or why the source cannot be read."""


class Received:
    """One source; made by `Receivers`."""

    def __init__(self, uri: str, options: dict[str, Any], listener: Listener, receivers: "Receivers") -> None:
        self.uri = uri
        self.options = options
        self.listener = listener
        self.closed = False
        self.number = -1
        self.receiver: _Receiver | None = None
        self.due = 0.0
        self._receivers = receivers
        self._delay = 0.0
        self._begun = 0.0
        self._begins_anew = False
        self._shift_seconds = 0.0
        self._end_seconds = 0.0  # where it stands in the stream, and by the clock
        self._end_time: float | None = None

    def close(self) -> None:
        """Ask it to end; may be called from any thread, and more than once."""
        self._receivers.close_one(self)

    def begin(self, number: int, receiver: "_Receiver") -> None:
        """Count as received from now on."""
        self.number, self.receiver = number, receiver
        self._begun = time.monotonic()

    def lose(self) -> None:
        """Count as lost from now on, and know when to be brought back."""
        now = time.monotonic()
        if now - self._begun > _SETTLED_SECONDS:
            self._delay = 0.0
        self._delay = next_delay(self._delay, Patience())
        self.receiver, self.due = None, now + self._delay
        self._begun = self.due  # where no process can be started, it was lost again at once
        self._begins_anew = True

    def hear(self, word: object) -> None:
        """Pass on what the receiver says."""
        match word:
            case Block():
                self.listener.take(self._placed(word))
            case (str(state), str(reason)):
                self.listener.tell(state, reason)
            case None | str():
                self.listener.end(word)

    def _placed(self, block: Block) -> Block:
        """A new process counts anew; the stream goes on, and what was lost between shows as a jump."""
        seconds = len(block.samples) / block.rate
        if self._begins_anew:
            self._begins_anew = False
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
        ours, theirs = socket.socketpair()
        with ours, theirs:
            # Of a session of its own, or an interrupt at the terminal would end it before this process has closed down.
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamtag.sources.receiver", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
            self.connection: Connection[Any, Any] = Connection(ours.detach())
        self.sources: dict[int, Received] = {}
        self.ending = False

    @property
    def has_room(self) -> bool:
        """Whether it takes another source."""
        return not self.ending and len(self.sources) < _MOST_SOURCES

    def order(self, *words: object) -> None:
        """Send an order, if there is still somebody to read it."""
        with suppress(OSError):
            self.connection.send(words)

    def end(self) -> str:
        """End the process; returns how it ended. Only for the thread that listens to it."""
        self.process.kill()
        code = self.process.wait()
        self.connection.close()
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"


class Receivers:
    """As many processes as the sources need that are open."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # over all that follows, and each source's place
        self._receivers: dict[_Receiver, Worker] = {}
        self._numbers = count()

    def open(self, uri: str, options: dict[str, Any], listener: Listener) -> Received:
        """Receive a source from now on until it ends or is closed.

        Args:
            uri: as for `open_source`; must be a network stream.
            options: of `open_source`, but for `on_state`.
            listener: told everything, of errors too.
        """
        received = Received(uri, options, listener, self)
        self._place(received)
        return received

    def close_one(self, received: Received) -> None:
        """See `Received.close`."""
        with self._changed:
            received.closed = True
            if received.receiver is not None:
                received.receiver.order(received.number)
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

    def _place(self, received: Received) -> None:
        try:
            with self._changed:
                receiver = next((r for r in self._receivers if r.has_room), None) or self._start()
                received.begin(next(self._numbers), receiver)
                receiver.sources[received.number] = received
                receiver.order(received.number, received.uri, received.options)
                if received.closed:
                    receiver.order(received.number)
        except OSError as error:
            self._lose([received], f"no process could be started to receive it: {error.strerror}")

    def _start(self) -> _Receiver:
        receiver = _Receiver()
        lost = partial(self._lose_all, receiver)
        thread = Worker("receiver", partial(self._listen, receiver), on_failure=lambda _: lost("an internal error"))
        self._receivers[receiver] = thread
        thread.start()
        return receiver

    def _listen(self, receiver: _Receiver) -> None:
        with suppress(EOFError, OSError):
            while not receiver.ending:
                number, word = receiver.connection.recv()
                receiver.sources[number].hear(word)
                if word is None or isinstance(word, str):
                    self._let_go(receiver, number)
        self._lose_all(receiver, "")

    def _lose_all(self, receiver: _Receiver, cause: str) -> None:
        """End a process; what it received is received by another one."""
        with self._changed:
            receiver.ending = True
        ending = receiver.end()
        with self._changed:
            del self._receivers[receiver]
        if receiver.sources:
            self._lose(list(receiver.sources.values()), f"the process that received it ended ({cause or ending})")

    def _let_go(self, receiver: _Receiver, number: int) -> None:
        with self._changed:
            receiver.sources.pop(number).receiver = None
            receiver.ending = not receiver.sources

    def _lose(self, lost: list[Received], reason: str) -> None:
        with self._changed:
            for received in lost:
                received.lose()
        for received in lost:
            if not received.closed:
                received.listener.tell("reconnecting", reason)
        # Anew if need be: what is brought back already is no longer in `lost`.
        Worker("lost", partial(self._bring_back, lost)).start()

    def _bring_back(self, lost: list[Received]) -> None:
        while lost:
            with self._changed:
                pause = min(received.due for received in lost) - time.monotonic()
                self._changed.wait_for(lambda: any(received.closed for received in lost), max(0.0, pause))
            now = time.monotonic()
            for received in [received for received in lost if received.closed or received.due <= now]:
                if received.closed:
                    received.listener.end(None)
                else:
                    self._place(received)
                lost.remove(received)
