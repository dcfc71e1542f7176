"""Sequence numbers and the last-value cache."""

from bisect import bisect_left
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Final

from streamtag.message_kinds import STREAM_KINDS
from streamtag.wire.messages import Outgoing

__all__ = ["Topic", "Topics"]

REMEMBERED_TOPICS: Final = 65_536
"""Topics of forgotten streams whose count goes on if the stream returns; beyond it the longest gone start anew."""


@dataclass(slots=True)
class Topic:
    """The next sequence number of a topic and its newest message, None before the first."""

    next_seq: int = 0
    newest: Outgoing | None = None


class Topics:
    """All topics of a session."""

    def __init__(self) -> None:
        self._topics: dict[bytes, Topic] = {}
        self._sorted: list[bytes] | None = None  # made when it is asked for
        self._forgotten: OrderedDict[bytes, int] = OrderedDict()

    def __getitem__(self, name: bytes) -> Topic:
        """Give a topic, which begins with its first use."""
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = Topic(self._forgotten.pop(name, 0))
            self._sorted = None
        return topic

    def newest(self, name: bytes) -> Outgoing | None:
        """Give a topic's newest message, None where there is none, or no longer."""
        topic = self._topics.get(name)
        return None if topic is None else topic.newest

    def matching(self, prefix: bytes) -> list[bytes]:
        """Name the topics that a subscription matches."""
        if prefix in self._topics:  # no topic is the beginning of another, because each ends in its only last slash
            return [prefix]
        if self._sorted is None:
            self._sorted = sorted(self._topics)
        return self._sorted[bisect_left(self._sorted, prefix) : bisect_left(self._sorted, prefix + b"\xff")]

    def skip(self, lost: Counter[bytes]) -> None:
        """Leave a gap in the numbers of topics whose messages were dropped before they were sent."""
        for name, count in lost.items():
            self[name].next_seq += count

    def forget(self, stream: str) -> None:
        """Drop the newest messages of a stream; its numbers go on if it returns in this session."""
        for kind in STREAM_KINDS:
            name = f"{kind}/{stream}/".encode("ascii")
            topic = self._topics.pop(name, None)
            if topic is not None:
                self._sorted = None
                self._forgotten[name] = topic.next_seq
        while len(self._forgotten) > REMEMBERED_TOPICS:
            self._forgotten.popitem(last=False)
