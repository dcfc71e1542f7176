"""One alert's episodes: when each is due, and what stands against it; see `rules.py` for what these words mean."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from streamtag.config_alerts import LEVEL, STATE
from streamtag.daytime import Location, day_of, is_within
from streamtag.settings import AlertSettings

__all__ = ["SETTLE_SECONDS", "Activity", "AlertRule", "Decision", "Moment"]

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


class Activity:
    """Which labels of each stream are active, and until when they were, as far as anybody asks for them."""

    def __init__(self, labels: set[str]) -> None:
        self._labels = labels
        self._open: set[tuple[str, str]] = set()
        self._ended: dict[tuple[str, str], float] = {}

    def begin(self, stream: str, label: str) -> None:
        """A label became active."""
        if label in self._labels:
            self._open.add((stream, label))

    def end(self, stream: str, label: str, at: float) -> None:
        """A label was active until then."""
        if label in self._labels:
            self._open.discard((stream, label))
            self._ended[stream, label] = max(at, self._ended.get((stream, label), at))

    def forget(self, at: float, stream: str | None) -> None:
        """All labels of a stream, or of all, were active until then."""
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
class AlertRule:
    """One alert: its episodes, by stream, and when it was told last."""

    alert: AlertSettings
    location: Location | None
    _open: dict[str, _Episode] = field(default_factory=dict)
    _onsets: dict[str, deque[float]] = field(default_factory=dict)
    _told: float = float("-inf")
    _before: dict[str, float] = field(default_factory=dict)  # by stream, the onset of what was told last, Unix seconds

    @property
    def is_waiting(self) -> bool:
        """Whether an episode counts and was not told yet."""
        return any(not episode.is_done and episode.is_reached for episode in self._open.values())

    def restore(self, decision: Decision) -> None:
        """Take over what was told before."""
        self._told = max(self._told, decision.moment.at)
        self._before[decision.stream] = decision.onset.wall

    def begin(self, stream: str, what: str, value: float | None, onset: Moment, now: Moment, tail: float) -> None:
        """Begin an episode."""
        if self.alert.streams is not None and stream not in self.alert.streams:
            return
        settle = SETTLE_SECONDS if self.alert.unless else 0.0
        episode = self._open[stream] = _Episode(what, onset, value, now.at + settle, tail)
        episode.is_done = abs(self._before.get(stream, float("-inf")) - onset.wall) < _SAME_SECONDS
        self._reach(stream, episode)

    def rise(self, stream: str, value: float, now: Moment) -> None:
        """Take in a score of an episode that goes on."""
        episode = self._open.get(stream)
        if episode is None or episode.value is None or value <= episode.value:
            return
        episode.value = value
        self._reach(stream, episode)

    def end(
        self, stream: str, value: float | None, offset: Moment, now: Moment, activity: Activity
    ) -> Iterator[Decision]:
        """End an episode; yield what became of it."""
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
        activity: Activity,
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

    def look(self, now: Moment, activity: Activity) -> Iterator[Decision]:
        """Yield what is due by now."""
        for stream, episode in list(self._open.items()):
            heard = episode.heard
            if heard is not None and now.at - heard.at > _SILENT_SECONDS:
                yield from self.end(stream, None, heard, now, activity)
            elif not episode.is_done and now.at >= episode.judged_from:
                until = now.at - episode.tail if heard is None else heard.at
                told = self._judge(stream, episode, until, now, activity)
                if told is not None:
                    yield told

    def forget(self, stream: str | None, now: Moment, activity: Activity) -> Iterator[Decision]:
        """End all episodes of a stream, or of all."""
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

    def _judge(self, stream: str, episode: _Episode, until: float, now: Moment, activity: Activity) -> Decision | None:
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

    def _against(self, stream: str, now: Moment, activity: Activity) -> str:
        alert = self.alert
        if alert.between is not None and not is_within(alert.between, now.wall, self.location):
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
