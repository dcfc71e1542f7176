"""Which messages a broker has not taken yet."""

import threading

__all__ = ["InFlight"]


class InFlight:
    """Numbers of messages that were given to the client's thread; any thread may call.

    Attributes:
        acknowledged: How many the broker has taken.
    """

    def __init__(self) -> None:
        self.acknowledged = 0
        self._numbers: dict[int, bool] = {}  # and whether it outlives a loss of the connection
        self._early: set[int] = set()
        self._lock = threading.Lock()

    def add(self, number: int, *, is_kept: bool) -> None:
        """Count a message that was handed over, which may have been taken already."""
        with self._lock:
            if number in self._early:
                self._early.discard(number)
            else:
                self._numbers[number] = is_kept

    def acknowledge(self, number: int) -> None:
        """Count a message that was taken."""
        with self._lock:
            self.acknowledged += 1
            if self._numbers.pop(number, None) is None:
                self._early.add(number)

    def lose(self) -> None:
        """Forget what a lost connection took along."""
        with self._lock:
            self._numbers = {number: is_kept for number, is_kept in self._numbers.items() if is_kept}

    @property
    def waiting(self) -> int:
        """How many the broker has not taken."""
        with self._lock:
            return len(self._numbers)
