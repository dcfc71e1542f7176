"""How often something may happen: so many times at once, and then so many a second."""

import time
from collections.abc import Callable

__all__ = ["TokenBucket"]


class TokenBucket:
    """A bucket of tokens, full at first, that fills up again with time; whatever happens spends some."""

    def __init__(self, capacity: float, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Make a full one.

        Args:
            capacity: how many tokens it holds.
            per_second: how many come back in a second.
            clock: monotonic seconds.
        """
        self._capacity = capacity
        self._per_second = per_second
        self._left = capacity
        self._clock = clock
        self._filled = clock()

    def spend(self, tokens: float = 1.0) -> bool:
        """Take tokens out, all or none; tell whether they were there."""
        now = self._clock()
        self._left = min(self._capacity, self._left + self._per_second * (now - self._filled))
        self._filled = now
        if self._left < tokens:
            return False
        self._left -= tokens
        return True
