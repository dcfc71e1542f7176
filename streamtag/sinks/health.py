"""Whether a service is well, and whether it is of use yet: what `/healthz` and `/readyz` say. Pure, no I/O."""

from collections.abc import Mapping
from typing import Any, Final

from streamtag.sinks.figures import Figures

__all__ = ["health", "readiness"]

_SCORE_SECONDS: Final = 10.0
_IDLE: Final = frozenset({"ended", "paused"})


def health(figures: Figures, threads: Mapping[str, bool], now: float) -> tuple[bool, dict[str, Any]]:
    """Tell whether everything works that should, and what does.

    A service that speaks has its sockets bound and its threads alive: it ends when one of them fails for good.

    Args:
        figures: What is known of the service.
        threads: Whether each of the sinks' threads is alive, by name.
        now: The clock of `Figures.hear`.
    """
    is_heard, seconds = figures.is_heard(now), figures.unheard_seconds(now)
    service = figures.service
    found: dict[str, Any] = {
        "service": is_heard,
        "service_heard_seconds_ago": None if seconds is None else round(seconds, 1),
        "sinks": dict(threads),
    }
    if service is not None:
        found |= {"takes_pcm": service.input is not None, "restarts": dict(service.restarts)}
        if service.history is not None:
            found["history"] = service.history.state
    is_well = is_heard and all(threads.values())
    return is_well, {"status": "ok" if is_well else "failing", **found}


def readiness(figures: Figures, now: float, *, awaits_streams: bool = False) -> tuple[bool, dict[str, Any]]:
    """Tell whether sound was scored in the last 10 s, or there is none to score.

    Args:
        figures: What is known of the service.
        now: The clock of `Figures.hear`.
        awaits_streams: Whether there will be streams where none was told of yet.
    """
    waited_for = [name for name, stream in figures.streams.items() if stream.state not in _IDLE]
    since = now - figures.scored_at
    is_scored = since < _SCORE_SECONDS
    is_idle = not waited_for and (figures.had_streams or not awaits_streams)
    is_ready = figures.is_heard(now) and (is_scored or is_idle)
    states = {} if figures.service is None else dict(figures.service.states)
    told = round(since, 1) if since != float("inf") else None
    return is_ready, {"status": "ready" if is_ready else "not ready", "scored_seconds_ago": told, "streams": states}
