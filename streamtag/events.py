from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streamtag.labels import LabelSet
from streamtag.settings import DEFAULT_OFF, DEFAULT_ON, EventSettings

__all__ = ["Event", "EventDetector", "EventRules", "Thresholds", "thresholds_of"]


@dataclass(frozen=True, slots=True)
class Event:
    """A label's onset (`on`) or its end (`off`); both carry the same id.

    Example:
        >>> event = streamtag.Event(id=0, label="Dog", index=7, state="off", onset=3.84, offset=5.76, peak=0.93)
        >>> f"{event.label} for {event.offset - event.onset:.2f} s"
        'Dog for 1.92 s'
    """

    id: int
    """Counts from 0 within its stream."""
    label: str
    index: int
    """The label's place in its stream's label set."""
    state: Literal["on", "off"]
    onset: float
    """Stream seconds at which the patch that began it starts."""
    offset: float | None
    """Stream seconds at which the last patch that reached `off` ends; None while it is on."""
    peak: float
    """The highest patch score so far."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What one label is judged by: scores and seconds, as `streamtag.settings.LabelThresholds` says them."""

    on: float
    off: float
    min_seconds: float
    hold_seconds: float
    cooldown_seconds: float


def thresholds_of(label: str, settings: EventSettings, model: Mapping[str, Mapping[str, float]]) -> Thresholds:
    """Return what a label is judged by.

    Args:
        label: its name.
        settings: what the configuration says. Where it says an `on` or an `off`, in the label's table or for all, both
            are the configuration's, and what it leaves out is the default.
        model: by label, an `on` and an `off` that the model asks for; they hold where the configuration says neither.
    """
    own = settings.labels.get(label, settings)
    on = settings.on if own.on is None else own.on
    off = settings.off if own.off is None else own.off
    asked = model.get(label, {}) if on is None and off is None else {}
    return Thresholds(
        on=asked.get("on", DEFAULT_ON) if on is None else on,
        off=asked.get("off", DEFAULT_OFF) if off is None else off,
        min_seconds=own.min_seconds,
        hold_seconds=own.hold_seconds,
        cooldown_seconds=own.cooldown_seconds,
    )


# Stream seconds are sample counts divided by a rate: half a sample of 16 kHz absorbs what the division rounds off.
_ROUNDING = 0.5 / 16000


@dataclass(slots=True)
class _Open:
    onset: float
    last: float
    peak: float
    id: int | None = None  # None until the event is long enough to be reported


class EventRules:
    """The thresholds of all labels, shared by all streams that are judged by them."""

    def __init__(
        self,
        labels: LabelSet,
        settings: EventSettings,
    ) -> None:
        """Find each label's thresholds.

        Args:
            labels: all labels, with what is asked for them: see `thresholds_of`.
            settings: what the configuration says.
        """
        self.labels = labels
        self.of_label = [thresholds_of(label, settings, labels.thresholds) for label in labels.names]
        # Scores are float32: thresholds rounded alike let a score equal to one reach it.
        self._on = np.array([rule.on for rule in self.of_label], np.float32)
        self.off: list[float] = np.array([rule.off for rule in self.of_label], np.float32).tolist()

    def raised(self, on: Mapping[str, float]) -> "EventRules":
        """Return the same with a higher `on` for some labels; what is not higher, or of no label, changes nothing."""
        rules = copy(self)
        rules.of_label = [
            replace(rule, on=max(rule.on, on.get(name, 0.0)))
            for name, rule in zip(self.labels.names, self.of_label, strict=True)
        ]
        rules._on = np.array([rule.on for rule in rules.of_label], np.float32)
        return rules

    def still(self, scores: NDArray[np.float32], reached: list[int]) -> list[int]:
        """Return those labels whose `on` the scores, float32 [n], reach here too, of those that reach a lower one."""
        return [index for index in reached if scores[index] >= self._on[index]]

    def reached(self, scores: NDArray[np.float32]) -> list[list[int]]:
        """Return for each row of scores, float32 [n, labels], the labels whose `on` it reaches."""
        found: list[list[int]] = [[] for _ in range(len(scores))]
        rows, labels = np.nonzero(scores >= self._on)
        for row, label in zip(rows.tolist(), labels.tolist(), strict=True):
            found[row].append(label)
        return found


class EventDetector:
    """Hysteresis over one stream's patch scores: each label on its own, any number of labels at once.

    Attributes:
        rules: what it judges by.
    """

    def __init__(self, rules: EventRules) -> None:
        self.rules = rules
        self._open: dict[int, _Open] = {}
        self._cool_until: dict[int, float] = {}
        self._next_id = 0

    def push(
        self, scores: NDArray[np.float32], start: float, end: float, reached: list[int] | None = None
    ) -> list[Event]:
        """Take in one patch and return what it began and ended.

        Args:
            scores: float32 [labels].
            start: stream seconds of the patch's first sample, never before the one of the patch before.
            end: stream seconds after its last.
            reached: the labels whose `on` the scores reach, where they are known already.
        """
        if reached is None:
            reached = self.rules.reached(scores[np.newaxis])[0]
        if not self._open and not reached:
            return []
        events = self._expire(start)
        for index in reached:
            if index not in self._open and start >= self._cool_until.get(index, 0.0) - _ROUNDING:
                self._open[index] = _Open(start, end, 0.0)
        for index, event in self._open.items():
            score = float(scores[index])
            if score >= self.rules.off[index] or index in reached:
                event.last = end
                event.peak = max(event.peak, score)
                if event.id is None and end - event.onset >= self.rules.of_label[index].min_seconds - _ROUNDING:
                    event.id = self._next_id
                    self._next_id += 1
                    events.append(self._event(index, event, "on"))
        return events + self._expire(end)

    def judge_by(self, rules: EventRules) -> list[Event]:
        """Go on with other rules; return the ends of events whose labels they lack, the others go on."""
        before = self.rules.labels.names
        if rules.labels.names == before:
            self.rules = rules
            return []
        indices = {name: index for index, name in enumerate(rules.labels.names)}
        ends = self._close([index for index in self._open if before[index] not in indices])
        self.rules = rules
        self._open = {indices[before[index]]: event for index, event in self._open.items()}
        self._cool_until = {
            indices[before[index]]: time for index, time in self._cool_until.items() if before[index] in indices
        }
        return ends

    def finish(self) -> list[Event]:
        """End every event: the stream ended or its source was lost."""
        return self._close(list(self._open))

    def _expire(self, now: float) -> list[Event]:
        if not self._open:
            return []
        return self._close(
            [
                index
                for index, event in self._open.items()
                if now > event.last and now - event.last >= self.rules.of_label[index].hold_seconds - _ROUNDING
            ]
        )

    def _close(self, indices: list[int]) -> list[Event]:
        events = []
        for index in indices:
            event = self._open.pop(index)
            if event.id is not None:
                self._cool_until[index] = event.last + self.rules.of_label[index].cooldown_seconds
                events.append(self._event(index, event, "off"))
        return events

    def _event(self, index: int, event: _Open, state: Literal["on", "off"]) -> Event:
        assert event.id is not None
        offset = event.last if state == "off" else None
        return Event(event.id, self.rules.labels.names[index], index, state, event.onset, offset, event.peak)
