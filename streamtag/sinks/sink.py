"""What a sink is, and the thread in which it works."""

import logging
import threading
import time
from collections import deque
from typing import Final, Protocol

from streamtag.threads import Worker
from streamtag.wire import Message

__all__ = ["Lane", "Sink"]

_MOST_WAITING: Final = 10_000
_LOOK_SECONDS: Final = 0.2
_COMPLAINT_SECONDS: Final = 60.0

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """Tells somebody of what a service publishes; all of it is called in one thread, and may wait a while."""

    @property
    def name(self) -> str:
        """What it is called in the log."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of messages that it takes."""

    def open(self) -> None:
        """Begin; whoever is told may be away and is waited for elsewhere than here."""

    def take(self, message: Message) -> None:
        """Take in a message."""

    def look(self) -> None:
        """Do what is due; called several times a second."""

    def close(self) -> None:
        """End in good order, within a second."""


class Lane:
    """A bounded queue before a sink, and the thread that empties it.

    Where the queue is full, scores are not taken in, and anything else takes the place of the oldest. Both are counted.

    Attributes:
        dropped: Messages that the sink never got.
    """

    def __init__(self, sink: Sink, most: int = _MOST_WAITING) -> None:
        self.dropped = 0
        self._sink = sink
        self._most = most
        self._waiting: deque[Message] = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._told = 0
        self._complain_at = 0.0
        self._is_open = False
        self._worker = Worker(f"sink-{sink.name}", self._run)

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    def put(self, message: Message) -> None:
        """Hand over a message, from one thread; never waits."""
        if message.header["kind"] not in self._sink.kinds:
            return
        with self._changed:
            if len(self._waiting) >= self._most:
                self.dropped += 1
                if message.header["kind"] == "scores":
                    return
                self._waiting.popleft()
            self._waiting.append(message)
            self._changed.notify()

    def ask_to_end(self) -> None:
        """Let the sink have what waits and then end."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def join(self, seconds: float) -> None:
        """Wait for the end for at most `seconds`."""
        self._worker.join(seconds)

    def _run(self) -> None:
        if not self._is_open:
            self._sink.open()
            self._is_open = True
        look_at = 0.0
        while True:
            with self._changed:
                if not self._waiting and not self._ending:
                    self._changed.wait(_LOOK_SECONDS)
                message = self._waiting.popleft() if self._waiting else None
                is_last = message is None and self._ending
            if message is not None:
                self._sink.take(message)
            if is_last or time.monotonic() >= look_at:
                look_at = time.monotonic() + _LOOK_SECONDS
                self._sink.look()
                self._complain()
            if is_last:
                self._sink.close()
                return

    def _complain(self) -> None:
        if self.dropped > self._told and time.monotonic() >= self._complain_at:
            self._complain_at = time.monotonic() + _COMPLAINT_SECONDS
            logger.warning("%s is too slow: %d messages were left out so far", self._sink.name, self.dropped)
            self._told = self.dropped
