"""Whether the clock of the day can be trusted with deleting what is old."""

import time
from collections.abc import Callable
from typing import Final

__all__ = ["EvenClock"]

LEAST_SECONDS: Final = 300.0
MOST_SECONDS: Final = 86_400.0
_TOLERANCE_SECONDS: Final = 5.0
_LONG_AWAY_SECONDS: Final = 30 * 86_400.0
# The two clocks are read one after the other, and the process may be held up between them.
_READ_SECONDS: Final = 0.5
_TRIES: Final = 5


def _elapsed() -> float:
    """Seconds that nobody sets, counted while the machine is suspended too where the system can."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class EvenClock:
    """The clock of the day beside one that nobody sets.

    A clock that was set must run evenly for as long as it jumped, but for five minutes at least and a day at most,
    before anything is deleted by it: a clock that was wrong and is set right jumps twice.
    """

    def __init__(self, wall: Callable[[], float] = time.time, elapsed: Callable[[], float] = _elapsed) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._shift, self._even_since = self._read()
        self._needed = LEAST_SECONDS

    def now(self) -> float:
        """Unix seconds."""
        return self._wall()

    def expect(self, last: float) -> None:
        """Hear of the latest time that is known of before: a clock that is far beyond it must run evenly for longer."""
        if self.now() - last > _LONG_AWAY_SECONDS:
            self._needed = MOST_SECONDS

    def look(self) -> float:
        """Return by how many seconds the clock was set since the last look; 0 where it ran on, as it does mostly."""
        shift, now = self._read()
        jump, self._shift = shift - self._shift, shift  # a slow drift is no jump
        if abs(jump) < _TOLERANCE_SECONDS:
            return 0.0
        pending = 0.0 if self.is_even else self._needed
        self._even_since = now
        self._needed = max(pending, min(MOST_SECONDS, max(LEAST_SECONDS, abs(jump))))
        return jump

    @property
    def is_even(self) -> bool:
        """Whether it ran evenly for long enough."""
        return self._elapsed() - self._even_since >= self._needed

    def _read(self) -> tuple[float, float]:
        """Return how far the clock is ahead of the one that nobody sets, and what that one shows."""
        for _ in range(_TRIES):
            before = self._elapsed()
            wall = self._wall()
            now = self._elapsed()
            if now - before < _READ_SECONDS:
                break
        return wall - now, now
