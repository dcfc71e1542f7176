"""Which jumps of a recording's time stamps are holes, and which are clocks that go wrong."""

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Stamps"]

T = TypeVar("T")

_HOLE_SECONDS = 0.1
# Stamps are rounded to milliseconds in many containers.
_ROUNDED_SECONDS = 0.004
_WATCHED_SECONDS = 3.0
_WATCHED = 4
_MOST_BEFORE = 64
# Whoever made the file decides how short its runs claim to be.
_MOST_HELD = 2000


@dataclass(frozen=True, slots=True)
class _Stamped(Generic[T]):
    item: T
    seconds: float
    step: float
    """How far its time stamp is ahead of where the one before it ends."""

    @property
    def skips(self) -> bool:
        """Whether about as much as it is itself, or more, seems to be missing before it, or to be there twice."""
        return abs(self.step) > max(_ROUNDED_SECONDS, 0.75 * self.seconds)

    @property
    def strays(self) -> bool:
        """Whether its time stamp does not fit."""
        return abs(self.step) > max(_ROUNDED_SECONDS, 0.25 * self.seconds)


class Stamps(Generic[T]):
    """Looks at each run's time stamp, and a little ahead.

    Where packets are missing, the time stamps jump over what they held, once, and stay there. Stamps that jump all the
    time are those of a clock that runs fast, and those that come back were never right: the samples are unbroken then.
    So are they where the stamps go on hours away or before: recordings that were joined.
    """

    def __init__(self, longest_seconds: float) -> None:
        """Begin a recording, in which no hole is longer than `longest_seconds`."""
        self._longest = longest_seconds
        self._next: float | None = None  # the stamp that would follow
        self._missing = 0.0  # by the steps that were not yet judged; less than 0 where they went back
        self._since_skip = 0.0
        self._before: deque[bool] = deque(maxlen=_MOST_BEFORE)  # of what was let go: whether it strays
        self._held: list[_Stamped[T]] = []
        self._held_seconds = 0.0

    def skip(self) -> None:
        """Go on behind what nobody looks at."""
        self._next = None

    def feed(self, item: T, seconds: float, stamp: float | None) -> list[tuple[float, T]]:
        """Take in the next run of samples and return those that are certain.

        Args:
            item: the run.
            seconds: how long it plays.
            stamp: when it begins, by its container; None where that does not say.

        Returns:
            The runs in their order, each behind the seconds that are missing before it.
        """
        step = 0.0
        if stamp is not None:
            step = 0.0 if self._next is None else stamp - self._next
            self._next = stamp
        if self._next is not None:
            self._next += seconds
        run = _Stamped(item, seconds, step)
        if not self._held:
            return self._admit(run)
        self._held.append(run)
        self._held_seconds += seconds
        is_sure = self._held_seconds >= _WATCHED_SECONDS and len(self._held) >= _WATCHED
        return self._judge() if is_sure or len(self._held) >= _MOST_HELD or self._has_returned else []

    def finish(self) -> list[tuple[float, T]]:
        """Return what is left; nothing follows."""
        ready: list[tuple[float, T]] = []
        while self._held:
            ready += self._judge()
        return ready

    def _admit(self, run: _Stamped[T]) -> list[tuple[float, T]]:
        """Let a run go, or hold it back where a hole may be before it."""
        if self._held:
            self._held.append(run)
            self._held_seconds += run.seconds
            return []
        if run.skips:
            self._missing += run.step
            self._since_skip = 0.0
        elif self._missing < 0.0 and self._since_skip > _WATCHED_SECONDS:
            self._missing = 0.0  # they went back for good
        self._since_skip += run.seconds
        if self._missing <= _HOLE_SECONDS:
            self._before.append(run.strays)
            return [(0.0, run.item)]
        self._held, self._held_seconds = [run], run.seconds
        return []

    @property
    def _has_returned(self) -> bool:
        """Whether the stamps went back to where they were before the jump that is held."""
        return sum(run.step for run in self._held[1:]) < -0.5 * self._missing

    def _judge(self) -> list[tuple[float, T]]:
        """Say whether there is a hole before what is held, and let go of that up to the next jump."""
        strays = [*self._before, *(run.strays for run in self._held)]
        is_hole = (
            len(self._held) > 1  # nothing shows that the stamp of the last one is right
            and not self._has_returned
            and self._missing <= self._longest
            and 2 * sum(strays) <= len(strays)
        )
        hole = self._missing if is_hole else 0.0
        (first, *rest), self._held = self._held, []
        self._missing = 0.0
        self._before.append(first.strays)
        return [(hole, first.item), *(ready for run in rest for ready in self._admit(run))]
