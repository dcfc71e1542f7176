"""The bounded hand-over of messages from any thread to the publisher's."""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from streamtag.wire.messages import Outgoing, topic_of

__all__ = ["Delivery", "Inbox"]


@dataclass(slots=True)
class Delivery:
    """What was handed over since the last look, to be worked off in the order of the attributes.

    Attributes:
        lost: Messages a topic that were dropped because too many waited.
        entries: Batches of messages, and names of streams to forget, oldest first.
    """

    lost: Counter[bytes] = field(default_factory=Counter)
    entries: deque[Sequence[Outgoing] | str] = field(default_factory=deque)


class Inbox:
    """Holds batches until the publisher takes them; when more than `capacity` messages wait, the oldest batch goes.

    The newest batch is always kept, whatever its size. Dropped messages are counted by topic, so that the publisher
    can leave gaps in the sequence numbers where subscribers look for them.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._delivery = Delivery()
        self._waiting = 0
        self.dropped = 0

    def put(self, messages: Sequence[Outgoing]) -> bool:
        """Hand over a batch; True if nothing waited before, so that the publisher needs to be woken."""
        with self._lock:
            first = not self._delivery.entries
            self._delivery.entries.append(messages)
            self._waiting += len(messages)
            if self._waiting > self._capacity:
                self._drop_oldest()
            return first

    def forget(self, stream: str) -> bool:
        """Hand over the name of a stream that is gone; True as for `put`."""
        with self._lock:
            first = not self._delivery.entries
            self._delivery.entries.append(stream)
            return first

    def drain(self) -> Delivery:
        """Take all that waits."""
        with self._lock:
            delivery, self._delivery, self._waiting = self._delivery, Delivery(), 0
            return delivery

    def _drop_oldest(self) -> None:
        entries, kept = self._delivery.entries, []
        while self._waiting > self._capacity and len(entries) > 1:
            entry = entries.popleft()
            if isinstance(entry, str):
                kept.append(entry)
                continue
            self._waiting -= len(entry)
            self.dropped += len(entry)
            self._delivery.lost.update(topic_of(message.header) for message in entry)
        entries.extendleft(reversed(kept))
