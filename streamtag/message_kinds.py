"""The kinds of messages on the wire, and how each is told; `wire/headers.py` holds the header of each."""

from typing import Final, NamedTuple

__all__ = ["KEPT", "KINDS", "MESSAGE_KINDS", "ON_REQUEST", "STREAM_KINDS", "MessageKind"]


class MessageKind(NamedTuple):
    """One kind of message; its name is the beginning of its topic.

    Attributes:
        of_stream: Whether each belongs to a stream, whose name ends the topic.
        on_request: Whether a service makes it only for those who name it.
        is_kept: Whether whoever begins to listen gets the newest one at once.
    """

    of_stream: bool = True
    on_request: bool = False
    is_kept: bool = True


MESSAGE_KINDS: Final = {
    "scores": MessageKind(),
    "event": MessageKind(),
    "status": MessageKind(),
    "service": MessageKind(of_stream=False),
    "levels": MessageKind(on_request=True),
    "embedding": MessageKind(on_request=True),
    "audio": MessageKind(on_request=True, is_kept=False),
}
KINDS: Final = tuple(name for name, kind in MESSAGE_KINDS.items() if not kind.on_request)
"""Kinds that everybody gets who does not ask for others."""
ON_REQUEST: Final = tuple(name for name, kind in MESSAGE_KINDS.items() if kind.on_request)
"""Kinds that a service makes only for those who name them."""
KEPT: Final = frozenset(name for name, kind in MESSAGE_KINDS.items() if kind.is_kept)
"""Kinds of which whoever begins to listen gets the newest one at once."""
STREAM_KINDS: Final = tuple(name for name, kind in MESSAGE_KINDS.items() if kind.of_stream)
"""Kinds that belong to a stream."""
