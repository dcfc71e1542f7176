"""Names for where only letters, digits, hyphens and underscores may stand: topics, and ids of Home Assistant."""

import hashlib
import re
import socket
from collections.abc import Iterable

__all__ = ["marked", "service_name", "slug", "slugs", "stream_slugs"]


def service_name(configured: str | None) -> str:
    """Return what the service is called: as configured, or after the host."""
    return configured or _plain(socket.gethostname().partition(".")[0]) or "streamtag"


def slug(label: str) -> str:
    """Return a label as it stands in topics: "Smoke detector, smoke alarm" is `smoke_detector_smoke_alarm`."""
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")


def slugs(labels: Iterable[str]) -> dict[str, str]:
    """Return each label's slug; where two would have the same, those after the first get 4 hex digits of their own."""
    found: dict[str, str] = {}
    for label in dict.fromkeys(labels):
        plain = slug(label)
        found[label] = plain if plain and plain not in found.values() else marked(plain or "label", label)
    return found


def stream_slugs(streams: Iterable[str]) -> dict[str, str]:
    """Return each stream's name in topics: the dots of its id are underscores.

    Where two would have the same, one keeps it (that whose id has no dot, else the first by the alphabet), whichever
    came first, and the others get 4 hex digits of their own.
    """
    names = list(dict.fromkeys(streams))
    plain = {_plain(name): name for name in sorted(sorted(names, reverse=True), key=lambda name: name == _plain(name))}
    return {name: _plain(name) if plain[_plain(name)] == name else marked(_plain(name), name) for name in names}


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def marked(plain: str, name: str) -> str:
    """Return a name that is taken with 4 hex digits of whatever it stands for."""
    return f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:4]}"
