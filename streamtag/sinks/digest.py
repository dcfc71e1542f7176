"""What one notification says of any number of alerts: pure, and no larger for more of them."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from streamtag.alerts.notice import AlertNotice, words

__all__ = ["Digest"]

_MOST_LINES: Final = 20
_MOST_GROUPS: Final = 1_000
_MOST_CLIPS: Final = 3


@dataclass(slots=True)
class _Group:
    count: int
    first: float
    last: AlertNotice


@dataclass(slots=True)
class Digest:
    """Alerts that are told together, counted by alert, stream and what was heard.

    Attributes:
        count: How many they are.
        clips: The newest whose recording is to go along.
    """

    count: int = 0
    clips: list[AlertNotice] = field(default_factory=list)
    _groups: dict[tuple[str, str, str], _Group] = field(default_factory=dict)

    def add(self, notice: AlertNotice) -> None:
        """Take in one more; where there are too many kinds, one that is new is counted and not named."""
        self.count += 1
        self._add(notice, 1, notice.onset_time)
        if notice.clip:
            self.clips = [*self.clips, notice][-_MOST_CLIPS:]

    def merge(self, earlier: "Digest") -> None:
        """Take in all of a digest that could not be sent."""
        self.count += earlier.count
        later, self._groups = self._groups, {}
        for group in (*earlier._groups.values(), *later.values()):
            self._add(group.last, group.count, group.first)
        self.clips = [*earlier.clips, *self.clips][-_MOST_CLIPS:]

    def title(self) -> str:
        """Return the title: the alert's name, or how many alerts of which names."""
        names = list(dict.fromkeys(group.last.alert for group in self._groups.values()))
        if self.count == 1:
            return names[0]
        return f"{names[0]}: {self.count} times" if len(names) == 1 else f"{self.count} alerts: {_few(names)}"

    def body(self) -> str:
        """Return a line for each alert, stream and what was heard, those with the most first."""
        groups = sorted(self._groups.values(), key=lambda group: -group.count)
        lines = [self._line(group) for group in groups[:_MOST_LINES]]
        rest = self.count - sum(group.count for group in groups[:_MOST_LINES])
        return "\n".join([*lines, f"and {rest} more"] if rest else lines)

    def _add(self, notice: AlertNotice, count: int, first: float) -> None:
        key = notice.alert, notice.stream, notice.what
        group = self._groups.get(key)
        if group is not None:
            group.count += count
            group.first = min(group.first, first)
            group.last = notice
        elif len(self._groups) < _MOST_GROUPS:
            self._groups[key] = _Group(count, first, notice)

    def _line(self, group: _Group) -> str:
        notice = group.last
        said = words(notice.what, notice.stream, notice.value)
        name = "" if self.count == group.count else f"{notice.alert}: "
        if group.count == 1:
            return f"{name}{said}, {_clock(notice.onset_time)}"
        return f"{name}{said}, {group.count} times, {_clock(group.first)} to {_clock(notice.onset_time)}"


def _few(names: Iterable[str]) -> str:
    first, *rest = names
    return ", ".join([first, *rest[:2]]) + (" and others" if len(rest) > 2 else "")


def _clock(at: float) -> str:
    return time.strftime("%a %H:%M:%S", time.localtime(at))
