"""How long to wait before something that failed is tried again."""

from typing import NamedTuple

__all__ = ["Backoff"]


class Backoff(NamedTuple):
    """Pauses between tries, each twice as long as the one before.

    Attributes:
        first: Seconds before the second try.
        longest: Seconds beyond which no pause grows.
    """

    first: float
    longest: float

    def after(self, pause: float) -> float:
        """Return the pause that follows one."""
        return min(self.longest, 2 * pause)
