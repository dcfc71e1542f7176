"""The rules of alerts: what was heard in, what is to be told out; pure, reads no clock and does no I/O.

An alert goes by **episodes**: of a label, an event whose score reaches `on`; of a level, patches in a row that reach
`on`; of a state, the time for which a stream is in one of `on`. An episode is **due** once it has lasted `for_seconds`,
or once it is the `count`-th that began within `within_seconds`. A due episode is told as soon as nothing stands against
it, and once at most: not outside `between` and `days`, not while a label of `unless` is active or was in the last
`unless_seconds`, not within `cooldown_seconds` of the one that was told before, of whichever stream. One that ends
before is held back, and the decision says why.

Durations go by a clock that nobody sets, and the time of the day by the clock of the day.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from streamtag.config_alerts import LEVEL, STATE
from streamtag.daytime import Place, day_of, is_within
from streamtag.settings import AlertSettings

__all__ = ["AlertRules", "Decision", "Moment", "wanted_kinds"]

SETTLE_SECONDS: Final = 0.4
"""So long an alert with `unless` waits after an onset: what began in the same patch is told a moment later."""
_ROUNDING: Final = 1e-6
_SAME_SECONDS: Final = 0.01
_SILENT_SECONDS: Final = 5.0
"""A level of which no patch came for so long is over."""


class Moment(NamedTuple):
    """A point in time by both clocks.

    Attributes:
        at: Seconds of a clock that only goes forwards.
        wall: Unix seconds.
    """

    at: float
    wall: float

    def later(self, seconds: float) -> "Moment":
        """Return the moment so many seconds later."""
        return Moment(self.at + seconds, self.wall + seconds)


@dataclass(frozen=True, slots=True)
class Decision:
    """What an alert made of an episode."""

    alert: str
    stream: str
    what: str
    """The label, "level", or the state."""
    moment: Moment
    onset: Moment
    value: float | None
    """The highest score, or level in dBFS, so far; None of a state."""
    is_told: bool
    reason: str
    """Why it was held back; empty where it is told."""


@dataclass(slots=True)
class _Episode:
    what: str
    onset: Moment
    value: float | None
    judged_from: float
    tail: float
    """So long after its end it may still be heard of as going on."""
    heard: Moment | None = None
    """Of a level: the end of its newest patch; it is over where none follows."""
    is_reached: bool = False
    is_enough: bool = False
    is_done: bool = False
    against: str = ""


class AlertRules:
    """All alerts of a configuration, on what one service hears."""

    def __init__(
        self,
        alerts: Iterable[AlertSettings],
        place: Place | None = None,
        told: Iterable[Decision] = (),
    ) -> None:
        """Begin.

        Args:
            alerts: The alerts.
            place: Where the sun rises and sets.
            told: What was told before, oldest first, with `moment` on the clock of what follows: the cooldown goes on,
                and no episode is told again.
        """
        self._rules = [_Rule(alert, place) for alert in alerts]
        self._activity = _Activity({label for rule in self._rules for label in rule.alert.unless})
        self._now = float("-inf")
        by_name = {rule.alert.name: rule for rule in self._rules}
        for decision in told:
            if decision.alert in by_name and decision.is_told:
                by_name[decision.alert].remember(decision)

    @property
    def is_waiting(self) -> bool:
        """Whether an episode is on that may yet be told as time goes on."""
        return any(rule.is_waiting for rule in self._rules)

    def begin(self, stream: str, label: str, score: float, onset: Moment, now: Moment, tail: float = 0.0) -> None:
        """Hear of an event's onset.

        Args:
            stream: The stream.
            label: The event's label.
            score: Its highest so far.
            onset: When it began.
            now: When that is known.
            tail: How long after its end it may still not be known that it ended.
        """
        self._activity.begin(stream, label)
        for rule in self._rules:
            if rule.alert.when == label:
                rule.begin(stream, label, score, onset, self._at(now), tail)

    def rise(self, stream: str, label: str, score: float, now: Moment) -> None:
        """Hear of a score of an event that goes on."""
        for rule in self._rules:
            if rule.alert.when == label:
                rule.rise(stream, score, self._at(now))

    def end(self, stream: str, label: str, score: float, offset: Moment, now: Moment) -> list[Decision]:
        """Hear of an event's end: with its highest score, when it was, and when that is known."""
        now = self._at(now)
        found = [
            decision
            for rule in self._rules
            if rule.alert.when == label
            for decision in rule.end(stream, score, offset, now, self._activity)
        ]
        self._activity.end(stream, label, offset.at)
        return found

    def level(self, stream: str, dbfs: float, start: Moment, now: Moment) -> list[Decision]:
        """Hear of the level of a patch that began at `start`."""
        now = self._at(now)
        found: list[Decision] = []
        for rule in self._rules:
            if rule.alert.when == LEVEL and isinstance(rule.alert.on, float | int):
                is_loud = dbfs >= rule.alert.on
                found += rule.go_on(stream, LEVEL, dbfs, start, now, self._activity, is_on=is_loud)
        return found

    def state(self, stream: str, state: str, since: Moment, now: Moment) -> list[Decision]:
        """Hear of the state that a stream is in since then."""
        now = self._at(now)
        found: list[Decision] = []
        for rule in self._rules:
            if rule.alert.when == STATE and isinstance(rule.alert.on, tuple):
                is_on = state in rule.alert.on
                found += rule.go_on(stream, state, None, since, now, self._activity, is_on=is_on)
        return found

    def look(self, now: Moment) -> list[Decision]:
        """Tell what is due by now."""
        now = self._at(now)
        return [decision for rule in self._rules for decision in rule.look(now, self._activity)]

    def forget(self, now: Moment, stream: str | None = None) -> list[Decision]:
        """End all that is on, of a stream or of all: what told of it is gone."""
        now = self._at(now)
        self._activity.forget(now.at, stream)
        return [decision for rule in self._rules for decision in rule.forget(stream, now, self._activity)]

    def _at(self, now: Moment) -> Moment:
        self._now = max(self._now, now.at)
        return Moment(self._now, now.wall)


def wanted_kinds(alerts: Iterable[AlertSettings]) -> frozenset[str]:
    """Return the kinds of messages that alerts go by."""
    kinds = {"service", "event"}
    for alert in alerts:
        if alert.when == STATE:
            kinds.add("status")
        elif alert.on is not None:
            kinds.add("scores")
    return frozenset(kinds)


class _Activity:
    """Which labels of each stream are active, and until when they were, as far as anybody asks for them."""

    def __init__(self, labels: set[str]) -> None:
        self._labels = labels
        self._open: set[tuple[str, str]] = set()
        self._ended: dict[tuple[str, str], float] = {}

    def begin(self, stream: str, label: str) -> None:
        if label in self._labels:
            self._open.add((stream, label))

    def end(self, stream: str, label: str, at: float) -> None:
        if label in self._labels:
            self._open.discard((stream, label))
            self._ended[stream, label] = max(at, self._ended.get((stream, label), at))

    def forget(self, at: float, stream: str | None) -> None:
        for each, label in list(self._open):
            if stream in (None, each):
                self.end(each, label, at)

    def among(self, stream: str, labels: Iterable[str], at: float, seconds: float) -> str | None:
        """Return one of the labels that is active, or was in the last `seconds`."""
        for label in labels:
            key = stream, label
            if key in self._open or at - self._ended.get(key, float("-inf")) < seconds:
                return label
        return None


@dataclass(slots=True)
class _Rule:
    """One alert: its episodes, by stream, and when it was told last."""

    alert: AlertSettings
    place: Place | None
    _open: dict[str, _Episode] = field(default_factory=dict)
    _onsets: dict[str, deque[float]] = field(default_factory=dict)
    _told: float = float("-inf")
    _before: dict[str, float] = field(default_factory=dict)  # by stream, the onset of what was told last, Unix seconds

    @property
    def is_waiting(self) -> bool:
        return any(not episode.is_done and episode.is_reached for episode in self._open.values())

    def remember(self, decision: Decision) -> None:
        self._told = max(self._told, decision.moment.at)
        self._before[decision.stream] = decision.onset.wall

    def begin(self, stream: str, what: str, value: float | None, onset: Moment, now: Moment, tail: float) -> None:
        if self.alert.streams is not None and stream not in self.alert.streams:
            return
        settle = SETTLE_SECONDS if self.alert.unless else 0.0
        episode = self._open[stream] = _Episode(what, onset, value, now.at + settle, tail)
        episode.is_done = abs(self._before.get(stream, float("-inf")) - onset.wall) < _SAME_SECONDS
        self._reach(stream, episode)

    def rise(self, stream: str, value: float, now: Moment) -> None:
        episode = self._open.get(stream)
        if episode is None or episode.value is None or value <= episode.value:
            return
        episode.value = value
        self._reach(stream, episode)

    def end(
        self, stream: str, value: float | None, offset: Moment, now: Moment, activity: _Activity
    ) -> Iterator[Decision]:
        episode = self._open.get(stream)
        if episode is None:
            return
        if value is not None:
            self.rise(stream, value, now)
        told = self._judge(stream, episode, offset.at, now, activity)
        del self._open[stream]
        if told is not None:
            yield told
        elif not episode.is_done:
            yield self._decision(stream, episode, now, self._why(stream, episode, offset))

    def go_on(
        self,
        stream: str,
        what: str,
        value: float | None,
        since: Moment,
        now: Moment,
        activity: _Activity,
        *,
        is_on: bool,
    ) -> Iterator[Decision]:
        """Begin, go on with or end an episode that has no onset and end of its own."""
        if not is_on:
            yield from self.end(stream, None, since, now, activity)
        elif stream not in self._open:
            self.begin(stream, what, value, since, now, 0.0)
        else:
            self._open[stream].what = what
            if value is not None:
                self.rise(stream, value, now)
        if is_on and value is not None and stream in self._open:
            self._open[stream].heard = now

    def look(self, now: Moment, activity: _Activity) -> Iterator[Decision]:
        for stream, episode in list(self._open.items()):
            heard = episode.heard
            if heard is not None and now.at - heard.at > _SILENT_SECONDS:
                yield from self.end(stream, None, heard, now, activity)
            elif not episode.is_done and now.at >= episode.judged_from:
                until = now.at - episode.tail if heard is None else heard.at
                told = self._judge(stream, episode, until, now, activity)
                if told is not None:
                    yield told

    def forget(self, stream: str | None, now: Moment, activity: _Activity) -> Iterator[Decision]:
        for each in list(self._open):
            if stream in (None, each):
                yield from self.end(each, None, now, now, activity)

    def _reach(self, stream: str, episode: _Episode) -> None:
        """Note that an episode counts, once its score does."""
        on = self.alert.on
        is_label = self.alert.when not in (LEVEL, STATE)
        if episode.is_reached or (is_label and isinstance(on, float | int) and (episode.value or 0.0) < on):
            return
        episode.is_reached = True
        onsets = self._onsets.setdefault(stream, deque(maxlen=self.alert.count))
        onsets.append(episode.onset.at)
        within = sum(episode.onset.at - at <= self.alert.within_seconds + _ROUNDING for at in onsets)
        episode.is_enough = within >= self.alert.count

    def _judge(self, stream: str, episode: _Episode, until: float, now: Moment, activity: _Activity) -> Decision | None:
        """Tell an episode that is known to have lasted `until` then, where it is due and nothing stands against it."""
        if episode.is_done or not episode.is_reached or not episode.is_enough:
            return None
        if self.alert.for_seconds and until - episode.onset.at < self.alert.for_seconds - _ROUNDING:
            return None
        episode.against = self._against(stream, now, activity)
        if episode.against:
            return None
        episode.is_done = True
        self._told = now.at
        self._before[stream] = episode.onset.wall
        self._onsets.pop(stream, None)
        return self._decision(stream, episode, now, "")

    def _against(self, stream: str, now: Moment, activity: _Activity) -> str:
        alert = self.alert
        if alert.between is not None and not is_within(alert.between, now.wall, self.place):
            return f"not between {alert.between[0]} and {alert.between[1]}"
        if alert.days is not None and day_of(now.wall) not in alert.days:
            return f"not on {', '.join(alert.days)}"
        label = activity.among(stream, alert.unless, now.at, alert.unless_seconds)
        if label is not None:
            return f"{label} was heard too"
        if now.at - self._told < alert.cooldown_seconds:
            return f"within {alert.cooldown_seconds:g} s of the one before"
        return ""

    def _why(self, stream: str, episode: _Episode, offset: Moment) -> str:
        """Say why an episode that is over was not told."""
        alert = self.alert
        if not episode.is_reached:
            return f"its score of {episode.value or 0.0:.2f} stayed below {alert.on}"
        if not episode.is_enough:
            onsets = self._onsets.get(stream, ())
            within = sum(episode.onset.at - at <= alert.within_seconds + _ROUNDING for at in onsets)
            return f"{within} of {alert.count} in {alert.within_seconds:g} s"
        if episode.against:
            return episode.against
        return f"it lasted {max(0.0, offset.at - episode.onset.at):.1f} s of {alert.for_seconds:g} s"

    def _decision(self, stream: str, episode: _Episode, now: Moment, reason: str) -> Decision:
        return Decision(self.alert.name, stream, episode.what, now, episode.onset, episode.value, not reason, reason)
