"""What subscribers asked for, in bounded memory however much they ask."""

import logging
from typing import Final

from streamtag.message_kinds import ON_REQUEST

__all__ = ["MAX_FRAME_BYTES", "Subscriptions"]

_log = logging.getLogger(__name__)

MAX_FRAME_BYTES: Final = 512
"""A larger subscription ends its connection: the longest topic, `levels/` and a stream's name, has 72 bytes."""
_MOST: Final = 200_000
"""Subscriptions beyond this are served, but not remembered: they get no replay."""
_MOST_PARTS: Final = 100
_ON_REQUEST: Final = tuple(f"{kind}/".encode("ascii") for kind in ON_REQUEST)


class Subscriptions:
    """The prefixes that anybody subscribes to.

    One thread changes it; `is_watched` may be asked from any.
    """

    def __init__(self) -> None:
        self._prefixes: set[bytes] = set()
        self._names: set[bytes] = set()
        self._parts: tuple[bytes, ...] = ()  # replaced as a whole: other threads read it
        self._has_warned = False

    def __bool__(self) -> bool:
        """Whether anybody subscribes to anything, as far as is known."""
        return bool(self._prefixes)

    def update(self, frame: bytes) -> bytes | None:
        """Take a subscription, or its end, as XPUB gives it; return the prefix that is wanted now, if one is."""
        prefix = frame[1:]
        if frame[:1] == b"\x00":
            self._prefixes.discard(prefix)
            self._names.discard(prefix)
            if prefix in self._parts:
                self._parts = tuple(part for part in self._parts if part != prefix)
            return None
        if frame[:1] != b"\x01":
            return None
        if prefix not in self._prefixes:
            if len(self._prefixes) >= _MOST:
                self._warn_once()
                return None
            self._prefixes.add(prefix)
            if prefix.startswith(_ON_REQUEST):
                self._watch(prefix)
        return prefix

    def is_watched(self, stream: str, kind: str = "levels") -> bool:
        """Tell whether somebody subscribes to a kind that is made on request, of a stream by name or of all."""
        if not self._names and not self._parts:
            return False
        name = f"{kind}/{stream}/".encode("ascii")
        return name in self._names or name.startswith(self._parts)

    def _watch(self, prefix: bytes) -> None:
        if prefix.endswith(b"/") and prefix not in _ON_REQUEST:
            self._names.add(prefix)
        elif len(self._parts) < _MOST_PARTS:
            self._parts += (prefix,)

    def _warn_once(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            _log.warning("there are more than %d subscriptions: those beyond get no replay", _MOST)
