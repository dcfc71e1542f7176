"""What the wall of all streams asks: a page of them, how each fares, and what was heard of it last."""

from collections import Counter
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streamtag.dashboard.api.feed import Feed
from streamtag.dashboard.queries import whole
from streamtag.dashboard.wall import Heard, Wall
from streamtag.wire import EventHeader, StatusHeader

__all__ = ["StreamRoutes"]

PAGE: Final = 40
_RATE: Final = 16_000
_TROUBLE: Final = frozenset({"reconnecting", "stalled", "failed"})


class StreamRoutes:
    """Answers about all streams that everybody may see, 40 at a time."""

    def __init__(self, feed: Feed, wall: Wall) -> None:
        self._feed = feed
        self._wall = wall

    def show(self, request: Request) -> Response:
        """Answer with a page of streams, by name; `text` is part of the name, `only=trouble` those that fare badly."""
        query = request.query_params
        text, only = query.get("text", "")[:64].lower(), query.get("only", "")
        every = self._feed.streams()
        found = [
            each for each in every if text in each.stream.lower() and (only != "trouble" or each.state in _TROUBLE)
        ]
        pages = max(1, -(-len(found) // PAGE))
        page = min(max(1, whole(query.get("page")) or 1), pages)
        shown = found[PAGE * (page - 1) : PAGE * page]
        service = self._feed.service
        heard, events = self._wall.newest([each.stream for each in shown]), self._feed.last_events()
        return JSONResponse(
            {
                "connection": self._feed.connection,
                "nodes": [] if service is None else msgspec.to_builtins(service.nodes),
                "streams": [_as_json(each, heard.get(each.stream), events.get(each.stream)) for each in shown],
                "found": len(found),
                "page": page,
                "pages": pages,
                "states": Counter(each.state for each in every),
                "trouble": sum(each.state in _TROUBLE for each in every),
            }
        )


def _as_json(status: StatusHeader, heard: Heard | None, event: EventHeader | None) -> dict[str, Any]:
    return {
        "id": status.stream,
        "state": status.state,
        "reason": status.reason,
        "since": status.since,
        "lost_seconds": round(status.lost_samples / _RATE, 1),
        "dropped_patches": status.dropped_patches,
        "heard": None if heard is None else heard._asdict(),
        "event": None
        if event is None
        else {
            "label": event.label,
            "time": event.time if event.onset_time is None else event.onset_time,
            "on": event.state == "on",
        },
    }
