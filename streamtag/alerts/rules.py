"""The rules of alerts: what was heard in, what is to be told out; pure, reads no clock and does no I/O.

An alert goes by **episodes**: of a label, an event whose score reaches `on`; of a level, patches in a row that reach
`on`; of a state, the time for which a stream is in one of `on`. An episode is **due** once it has lasted `for_seconds`,
or once it is the `count`-th that began within `within_seconds`. A due episode is told as soon as nothing stands against
it, and once at most: not outside `between` and `days`, not while a label of `unless` is active or was in the last
`unless_seconds`, not within `cooldown_seconds` of the one that was told before, of whichever stream. One that ends
before is held back, and the decision says why.

Durations go by a clock that nobody sets, and the time of the day by the clock of the day.
"""

from collections.abc import Iterable

from streamtag.alerts.rule import Activity, AlertRule, Decision, Moment
from streamtag.config_alerts import LEVEL, STATE
from streamtag.daytime import Location
from streamtag.settings import AlertSettings

__all__ = ["AlertRules", "Decision", "Moment", "wanted_kinds"]


class AlertRules:
    """All alerts of a configuration, on what one service hears."""

    def __init__(
        self,
        alerts: Iterable[AlertSettings],
        location: Location | None = None,
        told: Iterable[Decision] = (),
    ) -> None:
        """Begin.

        Args:
            alerts: The alerts.
            location: Where the sun rises and sets.
            told: What was told before, oldest first, with `moment` on the clock of what follows: the cooldown goes on,
                and no episode is told again.
        """
        self._rules = [AlertRule(alert, location) for alert in alerts]
        self._activity = Activity({label for rule in self._rules for label in rule.alert.unless})
        self._now = float("-inf")
        by_name = {rule.alert.name: rule for rule in self._rules}
        for decision in told:
            if decision.alert in by_name and decision.is_told:
                by_name[decision.alert].restore(decision)

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
