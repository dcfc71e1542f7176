"""What alerts would have told of events that were: the same rules, over a history."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from streamtag.alerts.rule import SETTLE_SECONDS, Decision, Moment
from streamtag.alerts.rules import AlertRules
from streamtag.config_alerts import LEVEL, STATE
from streamtag.daytime import Location
from streamtag.history import HistoryReader, StoredEvent
from streamtag.settings import AlertSettings

__all__ = ["MOST_EVENTS", "Replay", "can_be_replayed", "replay", "replay_history"]

MOST_EVENTS: Final = 50_000
"""So many of a history's newest events are looked at."""
_STEP_SECONDS: Final = 1.0
_PATCH_SECONDS: Final = 0.96


class Replay(NamedTuple):
    """What alerts would have decided, oldest first.

    Attributes:
        decisions: The decisions.
        is_whole: Whether that is of all the time that was asked for: of very many events the newest were looked at.
    """

    decisions: list[Decision]
    is_whole: bool


class _Step(NamedTuple):
    at: float
    is_end: bool
    event: StoredEvent


def can_be_replayed(alert: AlertSettings) -> bool:
    """Tell whether a history holds what an alert goes by: events, and neither levels nor states."""
    return alert.when not in (LEVEL, STATE)


def replay_history(
    reader: HistoryReader, alerts: Sequence[AlertSettings], location: Location | None, *, since: float, until: float
) -> Replay:
    """Return what alerts would have decided.

    Args:
        reader: The history.
        alerts: Those on levels and states decide nothing: see `can_be_replayed`.
        location: Where the sun rises and sets.
        since: Unix seconds; what is older is looked at too, for what was told then holds back what follows.
        until: Unix seconds.

    Raises:
        HistoryError: There is no history, or it cannot be read.
    """
    events = reader.search(until=until, limit=MOST_EVENTS)
    decisions = [each for each in replay(events, alerts, location, until=until) if each.moment.wall >= since]
    return Replay(decisions, is_whole=len(events) < MOST_EVENTS or events[-1].time <= since)


def replay(
    events: Iterable[StoredEvent], alerts: Sequence[AlertSettings], location: Location | None, *, until: float
) -> list[Decision]:
    """Return what alerts would have decided of events, oldest first.

    Args:
        events: In any order. One without an end that is not on any more is taken for as short as can be.
        alerts: Those on levels and states decide nothing.
        location: Where the sun rises and sets.
        until: Unix seconds up to which events that are on go on.
    """
    rules = AlertRules([alert for alert in alerts if can_be_replayed(alert)], location)
    decisions: list[Decision] = []
    next_look = float("-inf")
    for step in _steps(events):
        while next_look <= step.at and rules.is_waiting:
            decisions += rules.look(Moment(next_look, next_look))
            next_look += _STEP_SECONDS
        event, now = step.event, Moment(step.at, step.at)
        if step.is_end:
            decisions += rules.end(event.stream, event.label, event.peak, now, now)
        else:
            rules.begin(event.stream, event.label, event.peak, now, now)
            next_look = step.at + SETTLE_SECONDS
    while next_look <= until and rules.is_waiting:
        decisions += rules.look(Moment(next_look, next_look))
        next_look += _STEP_SECONDS
    return decisions


def _steps(events: Iterable[StoredEvent]) -> list[_Step]:
    steps = []
    for event in events:
        steps.append(_Step(event.time, False, event))
        if not event.is_on:
            length = _PATCH_SECONDS if event.offset is None else max(0.0, event.offset - event.onset)
            steps.append(_Step(event.time + length, True, event))
    return sorted(steps, key=lambda step: (step.at, step.is_end, step.event.id))
