"""How often somebody may be wrong: one budget for every way to give a password."""

import time
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from typing import Final

__all__ = ["FailureBudget", "network_of"]

_BY_VISITOR: Final = 10.0
_VISITOR_SECONDS: Final = 6.0
"""So long until a visitor who has used them up may be wrong once more."""
_IN_ALL: Final = 100.0
_ALL_SECONDS: Final = 1.0
_MOST_KEPT: Final = 10_000
_IPV6_HOST_BITS: Final = 64


class FailureBudget:
    """Failures that are left to each visitor, and to all together; they grow back with time."""

    def __init__(self) -> None:
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()  # failures, and when they were counted
        self._spent_in_all = (0.0, 0.0)

    def wait_seconds(self, visitor: str) -> float:
        """Return how long a visitor has to wait before the next password is looked at; 0: not at all."""
        mine = _now(self._spent.get(visitor, (0.0, 0.0)), _VISITOR_SECONDS)
        ours = _now(self._spent_in_all, _ALL_SECONDS)
        return max(0.0, (mine + 1 - _BY_VISITOR) * _VISITOR_SECONDS, (ours + 1 - _IN_ALL) * _ALL_SECONDS)

    def fail(self, visitor: str) -> bool:
        """Count a failure; tell whether it was the last one for now."""
        now = time.monotonic()
        self._spent[visitor] = _now(self._spent.pop(visitor, (0.0, 0.0)), _VISITOR_SECONDS) + 1, now
        self._spent_in_all = _now(self._spent_in_all, _ALL_SECONDS) + 1, now
        while len(self._spent) > _MOST_KEPT:
            self._spent.popitem(last=False)
        return self.wait_seconds(visitor) > 0


def network_of(address: str) -> str:
    """Return what counts as one visitor: an address, or the network of 64 bits that one customer gets of IPv6."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS)) + "/64"
    return str(parsed)


def _now(spent: tuple[float, float], seconds: float) -> float:
    failures, when = spent
    return max(0.0, failures - (time.monotonic() - when) / seconds)
