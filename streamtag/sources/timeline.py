"""Where each run of samples stands in its stream, and the one clock by which live sources tell when sound came."""

import time
from collections.abc import Callable

__all__ = ["Clock", "Timeline", "now"]

Clock = Callable[[], float]
"""Tells seconds since some moment in the past."""

# Where there is one that goes on while the machine is suspended: the world's sound goes on too.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Return seconds since the machine started, those in which it was suspended included; never set back."""
    return time.clock_gettime(_CLOCK)


class Timeline:
    """Counts a stream's samples, over lost audio and changes of rate, so that both keep their place in time."""

    def __init__(self) -> None:
        self._end = 0
        self._rate = 0

    @property
    def seconds(self) -> float:
        """Where the stream stands now."""
        return self._end / self._rate if self._rate else 0.0

    def advance(self, samples: int, rate: int, lost_seconds: float = 0.0) -> int:
        """Append samples and return the index of the first, counted at `rate`.

        Args:
            samples: how many come now.
            rate: their samples a second; may differ from the last call's.
            lost_seconds: audio that was lost just before them.
        """
        if rate != self._rate:
            self._end = round(self.seconds * rate)
            self._rate = rate
        start = self._end + round(lost_seconds * rate)
        self._end = start + samples
        return start
