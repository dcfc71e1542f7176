"""What the page asks about past events: a search, a clip, a table to download."""

import asyncio
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from streamtag.dashboard.access import VISITOR
from streamtag.dashboard.event_json import NO_HISTORY, event_as_json
from streamtag.dashboard.queries import number, whole
from streamtag.dashboard.review_routes import verdicts_by_event
from streamtag.dashboard.slots import FullError
from streamtag.dashboard.spool import Spool
from streamtag.errors import HistoryError
from streamtag.history import FORMATS, HistoryReader, export
from streamtag.history.counts import HOUR
from streamtag.settings import Config

__all__ = ["Export", "HistoryRoutes"]

_PAGE: Final = 100
_MOST_SPANS: Final = 31
_MOST_EARLIER: Final = 7
_MOST_EXPORTED: Final = 200_000


class HistoryRoutes:
    """Answers about past events."""

    def __init__(self, config: Config) -> None:
        self._path = Path(config.history.path) if config.history.path else None
        self.reader = HistoryReader(self._path) if self._path else None

    def search(self, request: Request) -> Response:
        """Answer with a page of events, newest first, and the names to choose from."""
        if self.reader is None:
            return JSONResponse({"error": NO_HISTORY}, 404)
        query = request.query_params
        moment, id_ = number(query.get("before_time")), whole(query.get("before_id"))
        before = None if moment is None or id_ is None else (moment, id_)
        try:
            events = self.reader.search(**_conditions(request), before=before, limit=_PAGE + 1)
            labels, streams = self.reader.names()
            said = verdicts_by_event(self._path)
        except HistoryError as error:
            return _unreadable(error)
        shown = [event_as_json(event) for event in events[:_PAGE]]
        for each in shown:
            each["right"] = said.get(each["name"])
        return JSONResponse({"events": shown, "more": len(events) > _PAGE, "labels": labels, "streams": streams})

    def clip(self, request: Request) -> Response:
        """Answer with the clip of an event."""
        event = whole(request.path_params["event"])
        try:
            path = None if self.reader is None or event is None else self.reader.clip(event)
        except HistoryError as error:
            return _unreadable(error)
        if path is None:
            return JSONResponse({"error": "There is no clip of this event any more."}, 404)
        kind = "attachment" if "download" in request.query_params else "inline"
        name = f"streamtag-{event}.wav"
        return FileResponse(path, media_type="audio/wav", filename=name, content_disposition_type=kind)

    def counts(self, request: Request) -> Response:
        """Answer with how many events of each label there were between `edges`, and how many are usual.

        `edges` are Unix seconds, ascending and whole hours apart; `earlier` is how many times as much before is looked
        at to say what is usual, as far into each as it is now into the time asked for.
        """
        if self.reader is None:
            return JSONResponse({"error": NO_HISTORY}, 404)
        query = request.query_params
        edges = [number(text) for text in query.get("edges", "").split(",", _MOST_SPANS + 1)]
        earlier = min(_MOST_EARLIER, whole(query.get("earlier")) or 0)
        known = [edge for edge in edges if edge is not None]
        is_whole = all(after - before >= HOUR for before, after in pairwise(known))
        if len(known) < len(edges) or not 2 <= len(edges) <= _MOST_SPANS + 1 or not is_whole:
            return JSONResponse({"error": "The times asked for are none."}, 422)
        begin, span = known[0], known[-1] - known[0]
        elapsed = min(span, max(0.0, time.time() - begin))
        try:
            counts, oldest = self.reader.counts(
                known, elapsed=elapsed, earlier=earlier, stream=query.get("stream", "")[:64]
            )
            _, streams = self.reader.names()
        except HistoryError as error:
            return _unreadable(error)
        # Of a stretch that the history does not reach back to nobody knows what was heard in it.
        known_before = 0 if oldest is None else sum(oldest <= begin - back * span for back in range(1, earlier + 1))
        labels = [
            {
                "label": each.label,
                "counts": each.counts,
                "total": each.total,
                "first": each.first,
                "last": each.last,
                "usual": sum(each.before[:known_before]) / known_before if known_before else None,
            }
            for each in counts
            if each.total
        ]
        return JSONResponse({"labels": labels, "compared": known_before, "oldest": oldest, "streams": streams})


class Export:
    """Answers with all events of a search as a table, which is written to a file first: it may be long."""

    def __init__(self, history: HistoryRoutes, spool: Spool) -> None:
        self._reader = history.reader
        self._spool = spool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            async with self._spool.file(scope[VISITOR]) as path:
                await (await self._respond(request, path))(scope, receive, send)
        except FullError:
            await _BUSY(scope, receive, send)

    async def _respond(self, request: Request, path: Path) -> Response:
        form = request.query_params.get("form", "")
        if self._reader is None or form not in FORMATS:
            return JSONResponse({"error": NO_HISTORY}, 404)
        reader, conditions = self._reader, _conditions(request)

        def write() -> None:
            with path.open("w", encoding="utf-8", newline="") as file:
                file.writelines(export(reader.read(**conditions, limit=_MOST_EXPORTED), form))

        try:
            async with self._spool.work(request.scope[VISITOR]):
                await asyncio.to_thread(write)
        except HistoryError as error:
            return _unreadable(error)
        except OSError as error:
            return JSONResponse({"error": f"The table could not be written: {error.strerror}."}, 507)
        name = f"streamtag-events.{FORMATS[form][1]}"
        return FileResponse(path, media_type="text/plain; charset=utf-8", filename=name)


_BUSY: Final = JSONResponse({"error": "Other tables are being written. Please try again in a moment."}, 503)


def _unreadable(error: HistoryError) -> Response:
    return JSONResponse({"error": str(error).split(": ", 1)[-1].capitalize() + "."}, 503)


def _conditions(request: Request) -> dict[str, Any]:
    query = request.query_params
    return {
        "text": query.get("text", "")[:100],
        "label": query.get("label", "")[:200],
        "stream": query.get("stream", "")[:64],
        "since": number(query.get("since")),
        "until": number(query.get("until")),
    }
