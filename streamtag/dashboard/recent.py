"""What the dashboard remembers of one stream: an hour of scores, the last events, its state."""

from collections import deque
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streamtag.wire import Message

__all__ = ["PATCHES", "RecentStream"]

PATCHES: Final = 3750
"""One hour."""
_EVENTS: Final = 200


class RecentStream:
    """Filled by the hub's thread, read under the hub's lock.

    Attributes:
        labels_hash: of what its scores are; empty before the first.
    """

    def __init__(self) -> None:
        self.status: dict[str, Any] | None = None
        self.labels_hash = ""
        self.events: deque[dict[str, Any]] = deque(maxlen=_EVENTS)
        self._times = np.zeros(PATCHES)
        self._spans = np.zeros((PATCHES, 2))
        self._scores = np.zeros((PATCHES, 0), np.float16)
        self._count = 0
        self._zero: float | None = None

    def add_scores(self, message: Message) -> None:
        """Take in a patch."""
        header = message.header
        if message.patch is None:
            return
        if header["labels_hash"] != self.labels_hash:
            self.labels_hash = header["labels_hash"]
            # The system gives memory page by page as it fills.
            self._scores = np.zeros((PATCHES, len(message.patch)), np.float16)
            self._count = 0
        row = self._count % PATCHES
        self._times[row] = header["time"]
        self._spans[row] = header["start"], header["end"]
        self._scores[row] = message.patch
        self._count += 1
        self._zero = header["time"] - header["end"]

    def add_event(self, header: dict[str, Any]) -> dict[str, Any]:
        """Take in an onset or an end and return the event as the page shows it."""
        begin = header["time"] if self._zero is None else self._zero + header["onset"]
        if header["offset"] is not None and self._zero is None:
            begin -= header["offset"] - header["onset"]
        event = {
            "id": f"{header['session']}-{header['id']}",
            "label": header["label"],
            "time": begin,
            "seconds": None if header["offset"] is None else header["offset"] - header["onset"],
            "peak": header["peak"],
        }
        for known in self.events:
            if known["id"] == event["id"]:
                known.update(event, time=known["time"])
                return known
        self.events.append(event)
        return event

    def begin_session(self) -> None:
        """Note that the service began anew: no event of before goes on, and its clock is another."""
        self.status = None
        self._zero = None
        for event in self.events:
            if event["seconds"] is None:
                event["seconds"] = 0.0

    def scores(self, seconds: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float16]]:
        """Return what the last seconds before the newest patch scored.

        Returns:
            Unix times float64 [n] of the patches' ends, stream seconds float64 [n, 2] of their beginnings and ends, and
            scores float16 [n, labels]; copies, oldest first.
        """
        kept = min(self._count, PATCHES)
        order = np.arange(self._count - kept, self._count) % PATCHES
        if kept:
            order = order[self._times[order] > self._times[order[-1]] - seconds]
        return self._times[order], self._spans[order], self._scores[order]
