"""Leases: a node scores only while it may, so that a stream that was placed elsewhere is not scored twice for long.

The one that places streams revokes a node's term before it gives what that node had to others. The node asks every two
seconds whether its term still holds; one that hears nothing, for whatever reason, stops by itself. Pure, no clock.
"""

from typing import Final

__all__ = ["ASK_SECONDS", "LEASE_SECONDS", "LeaseTable", "Tenure"]

LEASE_SECONDS: Final = 12.0
"""How long a node goes on after it asked for the last time with success; with what it takes to stop, 15 s at most."""
ASK_SECONDS: Final = 2.0


class LeaseTable:
    """Which terms are over; to be told again by whoever places streams after it was lost."""

    def __init__(self) -> None:
        self._revoked: dict[str, int] = {}

    def revoke(self, terms: dict[str, int]) -> None:
        """Let these terms, and those before them, be over, by node."""
        for node, term in terms.items():
            self._revoked[node] = max(term, self._revoked.get(node, 0))

    def holds(self, node: str, term: int) -> bool:
        """Tell whether a node's term holds."""
        return term > self._revoked.get(node, 0)


class Tenure:
    """A node's own view of its term; all times are monotonic seconds."""

    def __init__(self) -> None:
        self.term = 0
        self._asked: float | None = None

    def begin(self, term: int, now: float) -> None:
        """Take up a term, if it is none that is older."""
        if term >= self.term:
            self.term, self._asked = term, now

    def renew(self, term: int, asked: float) -> None:
        """Note that a term held when somebody was asked at `asked`, before the answer came."""
        if term == self.term and self._asked is not None:
            self._asked = max(self._asked, asked)

    def end(self, term: int) -> None:
        """Note that a term is over."""
        if term == self.term:
            self._asked = None

    def holds(self, now: float) -> bool:
        """Tell whether it may score."""
        return self._asked is not None and now - self._asked <= LEASE_SECONDS
