"""The one clock of live sources."""

import time
from collections.abc import Callable

__all__ = ["Clock", "now"]

Clock = Callable[[], float]
"""Tells seconds since some moment in the past."""

# Where there is one that goes on while the machine is suspended: the world's sound goes on too.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Return seconds since the machine started, those in which it was suspended included; never set back."""
    return time.clock_gettime(_CLOCK)
