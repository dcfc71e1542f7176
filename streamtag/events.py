from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streamtag.settings import EventSettings

__all__ = ["Event", "EventDetector"]


@dataclass(frozen=True, slots=True)
class Event:
    """A label's onset (`on`) or its end (`off`); both carry the same id."""

    id: int
    """Counts from 0 within its stream."""
    label: str
    index: int
    """The label's row in the bundle."""
    state: Literal["on", "off"]
    onset: float
    """Stream seconds at which the patch that began it starts."""
    offset: float | None
    """Stream seconds at which the last patch that reached `off` ends; None while it is on."""
    peak: float
    """The highest patch score so far."""


# Stream seconds are sample counts divided by 16 000: half a sample absorbs what the division rounds off.
_ROUNDING = 0.5 / 16000


@dataclass(slots=True)
class _Open:
    onset: float
    last: float
    peak: float
    id: int | None = None  # None until the event is long enough to be reported


class EventDetector:
    """Hysteresis over one stream's patch scores: each label on its own, any number of labels at once."""

    def __init__(self, labels: Sequence[str], settings: EventSettings) -> None:
        self._labels = labels
        self._open: dict[int, _Open] = {}
        self._cool_until: dict[int, float] = {}
        self._next_id = 0
        self.set(settings)

    def set(self, settings: EventSettings) -> None:
        """Judge by other settings from the next patch on; events that are on go on."""
        self._rules = [settings.labels.get(label, settings) for label in self._labels]
        self._on = np.array([rule.on for rule in self._rules], np.float32)
        self._off = np.array([rule.off for rule in self._rules], np.float32)

    def push(self, scores: NDArray[np.float32], start: float, end: float) -> list[Event]:
        """Take in one patch and return what it began and ended.

        Args:
            scores: float32 [labels].
            start: stream seconds of the patch's first sample, never before the one of the patch before.
            end: stream seconds after its last.
        """
        events = self._expire(start)
        reached = np.flatnonzero(scores >= self._on)
        for index in reached.tolist():
            if index not in self._open and start >= self._cool_until.get(index, start):
                self._open[index] = _Open(start, end, float(scores[index]))
        for index, event in self._open.items():
            score = scores[index]
            if score >= self._off[index] or score >= self._on[index]:
                event.last = end
                event.peak = max(event.peak, float(score))
                if event.id is None and event.last - event.onset >= self._rules[index].min_seconds - _ROUNDING:
                    event.id = self._next_id
                    self._next_id += 1
                    events.append(self._event(index, event, "on"))
        return events + self._expire(end)

    def finish(self) -> list[Event]:
        """End every event: the stream ended or its source was lost."""
        return self._close(list(self._open))

    def _expire(self, now: float) -> list[Event]:
        return self._close(
            [
                index
                for index, event in self._open.items()
                if now > event.last and now - event.last >= self._rules[index].hold_seconds - _ROUNDING
            ]
        )

    def _close(self, indices: list[int]) -> list[Event]:
        events = []
        for index in indices:
            event = self._open.pop(index)
            if event.id is not None:
                self._cool_until[index] = event.last + self._rules[index].cooldown_seconds
                events.append(self._event(index, event, "off"))
        return events

    def _event(self, index: int, event: _Open, state: Literal["on", "off"]) -> Event:
        assert event.id is not None
        offset = event.last if state == "off" else None
        return Event(event.id, self._labels[index], index, state, event.onset, offset, event.peak)
