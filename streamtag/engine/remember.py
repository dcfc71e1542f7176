"""From what the engine knows to what the history keeps."""

from collections.abc import Iterable

from streamtag.audio import Patch
from streamtag.engine.stream import EngineStream
from streamtag.events import Event
from streamtag.history import History

__all__ = ["remember_break", "remember_patch"]


def remember_patch(history: History, stream: EngineStream, patch: Patch, events: Iterable[Event]) -> None:
    """Hand over a patch of a stream and what it began and ended; nothing of one of which nothing is kept."""
    if stream.is_private or not stream.is_kept:
        return
    history.patch(stream.id, patch)
    for event in events:
        if event.offset is None:
            history.begin(stream.id, event.id, event.label, event.onset, event.peak, patch)
        else:
            history.end(stream.id, event.id, event.offset, event.peak)


def remember_break(history: History, stream: EngineStream, events: Iterable[Event]) -> None:
    """Tell that a stream ended or lost its source, and what ended with it."""
    for event in events:
        if event.offset is not None:
            history.end(stream.id, event.id, event.offset, event.peak)
    history.leave(stream.id)
