"""An alert as a sentence."""

from collections.abc import Sequence

from streamtag.config_alerts import LEVEL, STATE
from streamtag.settings import AlertSettings

__all__ = ["sentence"]


def sentence(alert: AlertSettings) -> str:
    """Return when an alert tells whom, as a person says it."""
    parts = [_what(alert)]
    if alert.streams is not None:
        parts.append(f"on {_listed(alert.streams, 'or')}")
    if alert.for_seconds:
        parts.append(f"for {_length(alert.for_seconds)}")
    if alert.count > 1:
        parts.append(f"{alert.count} times within {_length(alert.within_seconds)}")
    if alert.between is not None:
        parts.append(f"between {alert.between[0]} and {alert.between[1]}")
    if alert.days is not None:
        parts.append(f"on {_listed(alert.days, 'and')}")
    if alert.unless:
        after = f" or was in the last {_length(alert.unless_seconds)}" if alert.unless_seconds else ""
        parts.append(f"unless {_listed(alert.unless, 'or')} is heard{after}")
    if alert.cooldown_seconds:
        parts.append(f"at most once in {_length(alert.cooldown_seconds)}")
    told = f"tells {_listed(alert.send, 'and')}" if alert.send else "is in the log alone"
    return f"{', '.join(parts)}; {told}{', with the recording' if alert.clip and alert.send else ''}."


def _what(alert: AlertSettings) -> str:
    if alert.when == LEVEL:
        return f"Louder than {alert.on:g} dBFS" if isinstance(alert.on, float | int) else "Loud"
    if alert.when == STATE:
        return f"The stream is {_listed(alert.on, 'or')}" if isinstance(alert.on, tuple) else "The stream's state"
    return f"{alert.when} with a score of {alert.on:g}" if isinstance(alert.on, float | int) else alert.when


def _listed(names: Sequence[str], last: str) -> str:
    *first, end = names
    return f"{', '.join(first)} {last} {end}" if first else end


def _length(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
