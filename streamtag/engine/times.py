"""How long a service waits for what: nobody's setting, but other figures where it is tried."""

from typing import Final, NamedTuple

from streamtag.intake import PushedTimes

__all__ = ["USUAL_TIMES", "ServiceTimes"]


class ServiceTimes(NamedTuple):
    """Seconds.

    Attributes:
        repeat: Between messages of the same state: they come at least every 5 s, and half a second is left for a late
            look.
        settle: For how long an event may wait to be kept before it is published: the history takes a millisecond to
            write one, and scores do not wait for it.
        longest_wait: After which a patch that no thread took is dropped.
        pushed: After how much silence a pushed stream is what.
    """

    repeat: float = 4.5
    settle: float = 0.05
    longest_wait: float = 10.0
    pushed: PushedTimes = PushedTimes()


USUAL_TIMES: Final = ServiceTimes()
