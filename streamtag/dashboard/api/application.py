"""The routes below `/api/v1/`."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import FastAPI, Header, Path, Query, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.routing import Mount

from streamtag.dashboard.api.events_stream import EventsStream
from streamtag.dashboard.api.feed import Feed
from streamtag.dashboard.api.models import Error, Events, Labels, Service, Stream, Streams
from streamtag.dashboard.api.past import ROOT, Past
from streamtag.errors import HistoryError
from streamtag.keys import ClientKey
from streamtag.settings import Config
from streamtag.wire import StatusHeader

__all__ = ["Api"]

_RATE: Final = 16_000
_MOST: Final = 1000
_ABOUT: Final = "What a Streamtag service hears and how it fares, to be read only."

_BEARER: Final = HTTPBearer(
    scheme_name="token", description="Of `dashboard --token-file`; or the page's login", auto_error=False
)
"""What the description says of it; who may come in is judged before this."""

_Label = Annotated[str, Query(max_length=200, description="The whole name of a label; empty: all")]
_StreamId = Annotated[
    str, Query(pattern=r"^[A-Za-z0-9_.\-]{0,64}$", description="The whole name of a stream; empty: all")
]
_EventId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.~\-]{1,100}$", description="An event's `id`")]
_Seconds = Annotated[float, Field(allow_inf_nan=False)]
_Moment = _Seconds | datetime
_SINCE: Final = "Of the onset: Unix seconds, or a time such as 2026-11-26T08:00:00Z (UTC where no zone is named)"


def _responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    texts = {
        401: "Who asks may not come in",
        404: "There is none",
        422: "A parameter is wrong",
        503: "It cannot be told for now",
    }
    return {status: {"model": Error, "description": texts[status]} for status in statuses}


class Api:
    """An application of its own, to be mounted in the page's.

    Attributes:
        feed: what the service says now.
    """

    def __init__(self, connect: str, config: Config, key: ClientKey | None = None) -> None:
        """Prepare it.

        Args:
            connect: The service's endpoint.
            config: Where its history lies.
            key: With which the service lets us in, where it asks for one.
        """
        self.feed = Feed(connect, key)
        self._past = Past(self.feed, config)
        with_clips = config.history.clips and config.history.path is not None
        self._stream = EventsStream(self.feed, self._past, with_clips=with_clips)
        app = FastAPI(
            title="Streamtag",
            version="1",
            description=_ABOUT,
            openapi_url="/openapi.json",
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            dependencies=[Security(_BEARER)],
        )
        app.add_exception_handler(RequestValidationError, _wrong)
        app.add_exception_handler(HistoryError, _unreadable)
        app.add_exception_handler(HTTPException, _refused)
        errors = _responses(401, 422, 503)
        app.get("/streams", response_model=Streams, responses=_responses(401), summary="All streams and how they fare")(
            self.streams
        )
        app.get("/labels", response_model=Labels, responses=_responses(401, 503), summary="The model's labels")(
            self.labels
        )
        app.get("/events", response_model=Events, responses=errors, summary="Events, the newest first")(self.events)
        told: dict[int | str, dict[str, Any]] = {
            200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Server-sent events"}
        }
        summary = "Events as they come: `event: on` or `off`, `id`, and `data` as in /events"
        app.get(
            "/events/stream",
            response_class=_EventStreamResponse,
            responses={**told, **errors},
            summary=summary,
        )(self.follow)
        sound: dict[int | str, dict[str, Any]] = {
            200: {
                "content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}},
                "description": "A recording: 16 kHz, one channel",
            }
        }
        app.get(
            "/clips/{id}",
            response_class=FileResponse,
            responses={**sound, **_responses(401, 404, 422, 503)},
            summary="The recording around an event's onset",
        )(self.clip)
        self.mount = Mount(ROOT, app)

    def start(self) -> None:
        """Begin to listen to the service."""
        self.feed.start()

    def stop(self) -> None:
        """Listen no more."""
        self.feed.stop()

    def streams(self, response: Response) -> Streams:
        """Answer with every public stream."""
        response.headers["Cache-Control"] = "no-store"
        service = self.feed.service
        told = Service(
            state=self.feed.connection,
            version=None if service is None else service.version,
            model=None if service is None else service.model,
            runtime=None if service is None else service.runtime,
            sustainable_streams=None if service is None else service.sustainable_streams,
        )
        return Streams(service=told, streams=[_of_status(each) for each in self.feed.streams()])

    def labels(self) -> Any:
        """Answer with the model's labels."""
        service = self.feed.service
        if service is None:
            return _error("The tagging service was not heard yet.", 503)
        return Labels(model=service.model, labels_hash=service.labels_hash, labels=service.labels)

    def events(
        self,
        response: Response,
        label: _Label = "",
        stream: _StreamId = "",
        since: Annotated[_Moment | None, Query(description=_SINCE)] = None,
        until: Annotated[_Moment | None, Query(description=_SINCE)] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
    ) -> Events:
        """Answer with events of before."""
        response.headers["Cache-Control"] = "no-store"
        return self._past.search(label=label, stream=stream, since=_unix(since), until=_unix(until), limit=limit)

    async def follow(
        self,
        label: _Label = "",
        stream: _StreamId = "",
        last_event_id: Annotated[str, Header(max_length=200, description="Go on after this `id`")] = "",
    ) -> Any:
        """Answer with events as they come."""
        if self._stream.is_full:
            return _error("Too many follow already.", 503)
        told = self._stream.follow(last_event_id, label=label, stream=stream)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return _EventStreamResponse(told, headers=headers)

    def clip(self, id: _EventId) -> Any:  # noqa: A002
        """Answer with an event's recording."""
        path = self._past.clip(id)
        if path is None:
            return _error("There is no recording of this event, or it is gone.", 404)
        return FileResponse(path, media_type="audio/wav")


class _EventStreamResponse(StreamingResponse):
    media_type = "text/event-stream"


def _of_status(status: StatusHeader) -> Stream:
    return Stream(
        id=status.stream,
        state=status.state,
        reason=status.reason,
        since=status.since,
        source=status.source,
        rate=status.rate,
        channels=status.channels,
        paused=status.paused,
        patches=status.patches,
        dropped_patches=status.dropped_patches,
        lost_seconds=status.lost_samples / _RATE,
    )


def _unix(moment: float | datetime | None) -> float | None:
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return moment


def _error(text: str, status: int) -> JSONResponse:
    return JSONResponse({"error": text}, status)


def _wrong(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return _error(f"{first['loc'][1]}: {first['msg']}", 422)


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _unreadable(_: Request, error: Exception) -> Response:
    # Where the file lies is nobody's business.
    return _error(f"{str(error).rpartition(': ')[2].capitalize()}.", 503)
