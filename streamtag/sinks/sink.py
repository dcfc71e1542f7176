"""What a sink is, the queue before it, and the thread in which it works."""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from streamtag.alerts.notice import AlertNotice
from streamtag.audio import Patch
from streamtag.events import EventRules
from streamtag.settings import Config
from streamtag.threads import Worker
from streamtag.wire.messages import Header, ServiceHeader

__all__ = ["Deliveries", "Delivering", "Embedding", "LocalSink", "Overseer", "Sink", "SinkMessage", "SinkQueue"]

_MOST_WAITING: Final = 10_000
_LOOK_SECONDS: Final = 0.2
_COMPLAINT_SECONDS: Final = 60.0

logger = logging.getLogger(__name__)


class SinkMessage(NamedTuple):
    """What a sink is told.

    Attributes:
        header: The header, which belongs to whoever told it: not to be changed. Within the service `session` and `seq`
            are those of the wire only once it was published. A notice is told by the alerts to the other sinks alone.
        patch: Scores of the patch, float32 [n], None where the message is not of kind "scores".
        rolling: Rolling scores, float32 [n], or None.
    """

    header: Header | AlertNotice
    patch: NDArray[np.float32] | None = None
    rolling: NDArray[np.float32] | None = None


class Embedding(NamedTuple):
    """What the network made of a patch.

    Attributes:
        embedder: Hash of what made it.
        vector: float32 [d], which nobody changes any more.
    """

    embedder: str
    vector: NDArray[np.float32]


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

    def take(self, message: SinkMessage) -> None:
        """Take in a message."""

    def look(self) -> None:
        """Do what is due; called several times a second."""

    def close(self) -> None:
        """End in good order, within a second."""


class Deliveries(NamedTuple):
    """What became of what a sink was to tell: counts since its start, and what waits now.

    Attributes:
        sent: Taken by whoever is told.
        failed: Given up after it was tried.
        refused: Left out because too much waited.
        waiting: Not taken yet.
    """

    sent: int = 0
    failed: int = 0
    refused: int = 0
    waiting: int = 0


@runtime_checkable
class Delivering(Protocol):
    """A sink that counts what it delivers."""

    def deliveries(self) -> Deliveries:
        """Count, in any thread."""


@runtime_checkable
class Overseer(Protocol):
    """A sink that tells how the others fare."""

    def oversee(self, sinks: "Sequence[SinkQueue]") -> None:
        """Take note of all sinks, before they start."""


class LocalSink(Protocol):
    """A sink within the service: told first, by the threads that score, and so never waits but in `settle`.

    Of one stream it is told from one thread at a time. A `SinkQueue` makes one of any `Sink`.
    """

    @property
    def name(self) -> str:
        """What it is called in the log and in `service/`."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of messages that it takes."""

    @property
    def restarts(self) -> int:
        """How often it failed in a way that nobody foresaw, and went on."""

    @property
    def wants_embeddings(self) -> bool:
        """Whether `hear` is to be given them."""

    @property
    def raised(self) -> Mapping[str, Mapping[str, float]]:
        """By stream and label, the `on` to which people's verdicts raise it, where it keeps any; at once."""

    def start(self) -> None:
        """Begin; what cannot be opened is told of, and nothing else waits for it."""

    def go_by(self, config: Config, rules: Iterable[EventRules]) -> None:
        """Take over what of a configuration takes effect at once, before the start and from any thread later.

        Args:
            config: The configuration.
            rules: Each model's labels and their thresholds.
        """

    def hear(self, stream: str, patch: Patch, embedding: Embedding | None = None) -> None:
        """Take in the sound of a patch, before what it scored; with its embedding where the sink wants them."""

    def take(self, message: SinkMessage) -> None:
        """Take in a message, before it is published."""

    def settle(self, seconds: float) -> bool:
        """Wait for at most `seconds` until what came outlives the process; tell whether it does."""

    def describe(self, header: ServiceHeader) -> None:
        """Write into the service's state how it fares."""

    def stop(self, seconds: float) -> None:
        """End in good order, within `seconds`."""


class SinkQueue:
    """A bounded queue before a sink, and the thread that empties it.

    Where the queue is full, scores are not taken in, and anything else takes the place of the oldest. Both are counted.

    Attributes:
        dropped: Messages that the sink never got.
    """

    wants_embeddings = False
    raised: Mapping[str, Mapping[str, float]] = MappingProxyType({})

    def __init__(self, sink: Sink, most: int = _MOST_WAITING) -> None:
        self.name = sink.name
        self.kinds = sink.kinds
        self.dropped = 0
        self._sink = sink
        self._most = most
        self._waiting: deque[SinkMessage] = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._told = 0
        self._complain_at = 0.0
        self._is_open = False
        self._worker = Worker(f"sink-{sink.name}", self._run)

    @property
    def is_alive(self) -> bool:
        """Whether its thread was started and has not ended."""
        return self._worker.is_alive

    def deliveries(self) -> Deliveries | None:
        """Count what the sink delivered, what never came to it included; None where it delivers nothing."""
        if not isinstance(self._sink, Delivering):
            return None
        found = self._sink.deliveries()
        return found._replace(refused=found.refused + self.dropped, waiting=found.waiting + len(self._waiting))

    @property
    def restarts(self) -> int:
        """How often the thread failed in a way that nobody foresaw, and went on."""
        return self._worker.restarts

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    def go_by(self, config: Config, rules: Iterable[EventRules]) -> None:
        """Leave the sink as it was made."""

    def hear(self, stream: str, patch: Patch, embedding: Embedding | None = None) -> None:
        """Leave the sound alone: what a sink is told of are messages."""

    def take(self, message: SinkMessage) -> None:
        """Hand over a message, from any thread; never waits."""
        kind = message.header.kind
        if kind not in self.kinds:
            return
        with self._changed:
            if len(self._waiting) >= self._most:
                self.dropped += 1
                if kind == "scores":
                    return
                self._waiting.popleft()
            self._waiting.append(message)
            self._changed.notify()

    def settle(self, seconds: float) -> bool:
        """Say that nothing is waited for: what waits here does not outlive the process."""
        return False

    def describe(self, header: ServiceHeader) -> None:
        """Add nothing to the service's state."""

    def ask_to_end(self) -> None:
        """Let the sink have what waits and then end."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def join(self, seconds: float) -> None:
        """Wait for the end for at most `seconds`."""
        self._worker.join(seconds)

    def stop(self, seconds: float) -> None:
        """Do both."""
        self.ask_to_end()
        self.join(seconds)

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
            logger.warning("%s is too slow: %d messages were left out so far", self.name, self.dropped)
            self._told = self.dropped
