"""What the live view shows, kept up to date by the messages of the wire; nothing here knows the terminal."""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamtag.wire import Message

__all__ = ["LOWEST_DBFS", "Board", "LabelRow", "LiveState", "ShownEvent"]

LOWEST_DBFS = -60.0
"""The left end of the level meter."""

_ENTER = 0.1
_LEAVE = 0.05
_FADE_SECONDS = 2.5
_BETTER = 0.2  # so much more than another a label must score to take its place
_FAR_BETTER = 0.6  # with so much more it need not wait until the rows have rested
_REST_SECONDS = 3.0
_EASE_SECONDS = 0.12
_PEAK_SECONDS = 1.5  # a peak stays in view for so long unless a higher one comes
_EVENTS = 50


@dataclass(slots=True)
class LabelRow:
    """One label on the board."""

    index: int
    label: str
    patch: float = 0.0
    rolling: float = 0.0
    shown: float = 0.0
    """The length of its bar, which follows the patch score smoothly."""
    last: float = 0.0
    """When it was last worth showing."""

    @property
    def strength(self) -> float:
        """The greater of its two scores."""
        return max(self.patch, self.rolling)


class Board:
    """The labels in view, which keep their rows until the order is clearly wrong, and rest once they have moved."""

    def __init__(self, labels: Sequence[str], rows: int) -> None:
        self._labels = labels
        self.rows: list[LabelRow | None] = [None] * rows
        self._rest_until = 0.0

    def resize(self, rows: int) -> None:
        """Have room for another number of rows; those beyond it go."""
        self.rows = (self.rows + [None] * rows)[:rows]

    def update(self, patch: Any, rolling: Any, now: float) -> None:
        """Take in one patch's scores, float32 [labels] each."""
        for at, row in enumerate(self.rows):
            if row is not None:
                row.patch, row.rolling = float(patch[row.index]), float(rolling[row.index])
                if row.strength >= _LEAVE:
                    row.last = now
                elif now - row.last >= _FADE_SECONDS:
                    self.rows[at] = None
        known = {row.index for row in self.rows if row is not None}
        strengths = [max(pair) for pair in zip(patch.tolist(), rolling.tolist(), strict=True)]
        best = sorted(range(len(strengths)), key=strengths.__getitem__, reverse=True)[: len(self.rows)]
        for index in best:
            if index not in known and strengths[index] >= _ENTER:
                row = LabelRow(index, self._labels[index], float(patch[index]), float(rolling[index]), last=now)
                self._enter(row)
        wrong = self._disorder()
        if wrong >= _FAR_BETTER or (wrong >= _BETTER and now >= self._rest_until):
            self.rows.sort(key=_strength, reverse=True)
            self._rest_until = now + _REST_SECONDS

    def ease(self, seconds: float) -> None:
        """Let the bars follow the scores, `seconds` having passed since the last call."""
        part = 1 - math.exp(-seconds / _EASE_SECONDS)
        for row in self.rows:
            if row is not None:
                row.shown += (row.patch - row.shown) * part

    def _enter(self, row: LabelRow) -> None:
        if None in self.rows:
            self.rows[self.rows.index(None)] = row
            return
        weakest = min(self.rows, key=_strength, default=None)
        if weakest is not None and row.strength > weakest.strength + _BETTER:
            self.rows[self.rows.index(weakest)] = row

    def _disorder(self) -> float:
        """Return by how much a row is stronger than one above it, at most."""
        strengths = [_strength(row) for row in self.rows]
        return max(below - above for above, below in zip(accumulate(strengths, min), strengths, strict=True))


def _strength(row: LabelRow | None) -> float:
    # A free row is clearly weaker than any label.
    return -_BETTER if row is None else row.strength


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """An event in the list: still on while it has no offset."""

    label: str
    index: int
    onset: float
    offset: float | None
    peak: float


class LiveState:
    """One stream as its messages tell of it."""

    def __init__(
        self, stream: str, labels: Sequence[str], rows: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Know nothing yet.

        Args:
            stream: the stream's name; messages of others are left out.
            labels: the model's labels.
            rows: how many labels are in view at a time.
            clock: gives seconds.
        """
        self.board = Board(labels, rows)
        self.events: dict[int, ShownEvent] = {}
        self.heard: dict[str, None] = {}  # the labels of all events, in the order of their first onset
        self.model = ""
        self.state = "starting"
        self.reason = ""
        self.rms_dbfs = self.peak_dbfs = LOWEST_DBFS
        self.shown_dbfs = LOWEST_DBFS
        self.patches = 0
        self.dropped = 0
        self.missed = 0
        self.rolling = 0
        self._stream = stream
        self._clock = clock
        self._eased = clock()
        self._end = 0.0
        self._end_at = clock()
        self._peak_at = clock()
        self._order: deque[int] = deque()

    def update(self, message: "Message") -> None:
        """Take in one message."""
        header = message.header
        self.missed += message.missed
        if header["kind"] == "service":
            self.model = f"{header['model']} on {header['runtime']}"
        if header.get("stream") != self._stream:
            return
        match header["kind"]:
            case "scores":
                self._scores(message)
            case "levels":
                self._levels(header["rms_dbfs"], header["peak_dbfs"])
            case "event":
                self._event(header)
            case "status":
                self.state, self.reason = header["state"], header["reason"]
                self.dropped = header["dropped_patches"]

    def ease(self) -> None:
        """Move what follows smoothly up to now."""
        now = self._clock()
        passed, self._eased = now - self._eased, now
        self.board.ease(passed)
        target = max(LOWEST_DBFS, self.rms_dbfs)
        self.shown_dbfs += (target - self.shown_dbfs) * (1 - math.exp(-passed / _EASE_SECONDS))

    @property
    def position(self) -> float:
        """Stream seconds, between patches by the clock."""
        if self.state != "live" or not self.patches:
            return self._end
        return self._end + min(self._clock() - self._end_at, 1.0)

    @property
    def open_labels(self) -> set[int]:
        """The labels, by their index, of events that are on."""
        return {event.index for event in self.events.values() if event.offset is None}

    def _scores(self, message: "Message") -> None:
        header = message.header
        self.patches += 1
        self.rolling = header["rolling"]
        self._end, self._end_at = header["end"], self._clock()
        self.board.update(message.patch, message.rolling, self._end_at)

    def _levels(self, rms_dbfs: float, peak_dbfs: float) -> None:
        now = self._clock()
        self.rms_dbfs = rms_dbfs
        if peak_dbfs >= self.peak_dbfs or now - self._peak_at >= _PEAK_SECONDS:
            self.peak_dbfs, self._peak_at = peak_dbfs, now

    def _event(self, header: dict[str, Any]) -> None:
        event = ShownEvent(header["label"], header["index"], header["onset"], header["offset"], header["peak"])
        if header["id"] not in self.events:
            self._order.append(header["id"])
            self.heard[event.label] = None
        self.events[header["id"]] = event
        while len(self._order) > _EVENTS:
            self.events.pop(self._order.popleft(), None)
