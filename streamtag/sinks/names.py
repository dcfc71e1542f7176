"""Names for where only letters, digits, hyphens and underscores may stand: topics, and ids of Home Assistant."""

import hashlib
import re
import socket
from collections.abc import Callable, Container, Iterable

__all__ = ["marked", "service_name", "slug", "slugs", "stream_slugs"]


def service_name(configured: str | None) -> str:
    """Return what the service is called: as configured, or after the host."""
    return configured or _plain(socket.gethostname().partition(".")[0]) or "streamtag"


def slug(label: str) -> str:
    """Return a label as it stands in topics: "Smoke detector, smoke alarm" is `smoke_detector_smoke_alarm`."""
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")


def slugs(labels: Iterable[str]) -> dict[str, str]:
    """Return each label's slug; where two would have the same, those after the first are `marked`."""
    return _own(labels, slug)


def stream_slugs(streams: Iterable[str]) -> dict[str, str]:
    """Return each stream's name in topics: the dots of its id are underscores.

    Where two would have the same, one keeps it (that whose id has no dot, else the first by the alphabet), whichever
    came first, and the others are `marked`.
    """
    return _own(sorted(streams, key=lambda name: (name != _plain(name), name)), _plain)


def _own(things: Iterable[str], plain_of: Callable[[str], str]) -> dict[str, str]:
    """Return a name for each; whatever comes first has the plain one."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for thing in dict.fromkeys(things):
        plain = plain_of(thing)
        found[thing] = plain if plain and plain not in taken else marked(plain or "label", thing, taken)
        taken.add(found[thing])
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def marked(plain: str, name: str, taken: Container[str]) -> str:
    """Return a name that is taken with hex digits of what it stands for: 4, or as many as make it one that is free."""
    digits = hashlib.sha256(name.encode()).hexdigest()
    return next(new for count in range(4, len(digits) + 1) if (new := f"{plain}_{digits[:count]}") not in taken)
