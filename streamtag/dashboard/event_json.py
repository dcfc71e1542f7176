"""How the page tells of events and errors."""

from typing import Any

from streamtag.history import StoredEvent, event_id

__all__ = ["NO_HISTORY", "event_as_json", "plain"]

NO_HISTORY = "No history is kept. Ask for one with a [history] path in the service's configuration."


def event_as_json(event: StoredEvent) -> dict[str, Any]:
    """Return an event as the page shows it; `seconds` is None while it lasts, and where nobody knows its end."""
    return {
        "id": event.id,
        "name": event_id(event.stream, event.label, event.time),
        "stream": event.stream,
        "label": event.label,
        "time": event.time,
        "seconds": None if event.offset is None else event.offset - event.onset,
        "peak": event.peak,
        "clip": event.has_clip,
        "on": event.is_on,
    }


def plain(error: Exception) -> str:
    """Return an error as a sentence for visitors, who need not know where files lie."""
    text = str(error.args[0] if error.args else error)
    if isinstance(error, OSError):
        text = error.strerror or text
    text = text.split(": ", 1)[-1] if text.startswith("/") else text
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."
