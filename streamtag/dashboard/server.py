"""The web server: routes, what stands before them, start and stop."""

import gc
import logging
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from streamtag.dashboard.access import Access
from streamtag.dashboard.alert_routes import AlertRoutes
from streamtag.dashboard.api import Api
from streamtag.dashboard.api.past import ROOT
from streamtag.dashboard.connections import Connections, Listener
from streamtag.dashboard.group_routes import GroupRoutes
from streamtag.dashboard.headers import SecurityHeaders
from streamtag.dashboard.history_routes import Export, HistoryRoutes
from streamtag.dashboard.hosts import HostNames, is_loopback
from streamtag.dashboard.hub import Hub
from streamtag.dashboard.ingress import AnyHost, Ingress, Prefixed
from streamtag.dashboard.limits import Limits
from streamtag.dashboard.listening import Listening
from streamtag.dashboard.live_feed import LiveFeed
from streamtag.dashboard.login import Account, Logins, read_account, read_token
from streamtag.dashboard.microphone import Microphones
from streamtag.dashboard.page import STATIC, mount_page
from streamtag.dashboard.protocol import MICROPHONE, protocols
from streamtag.dashboard.recordings import MOST_BYTES, Recordings
from streamtag.dashboard.review_routes import ReviewRoutes
from streamtag.dashboard.spool import Spool
from streamtag.dashboard.stream_routes import StreamRoutes
from streamtag.dashboard.taught import Taught
from streamtag.dashboard.teach_routes import MOST_EXAMPLE_BYTES, TeachRoutes
from streamtag.dashboard.threshold_routes import ThresholdRoutes
from streamtag.dashboard.tls import open_context
from streamtag.dashboard.wall import Wall
from streamtag.errors import StreamtagError
from streamtag.keys import ClientKey
from streamtag.settings import Config
from streamtag.temporary import private_folder

__all__ = ["build", "serve"]

RECORDING: Final = "/streamtag/recording"
EXPORT: Final = "/streamtag/history/export"
TEACH: Final = "/streamtag/teach/label"
EVENTS: Final = f"{ROOT}/events/stream"
_MESSAGE_BYTES: Final = 1 << 18
_GOODBYE_SECONDS: Final = 1
_BACKLOG: Final = 128
_OF_VISITORS: Final = ("Invalid ", "Unsupported ", "No supported ")
"""How uvicorn's lines begin about what a visitor sent."""

logger = logging.getLogger(__name__)


def serve(
    *,
    connect: str,
    host: str,
    port: int,
    auth: str | None,
    allow_write: bool,
    config: Config,
    key: ClientKey | None = None,
    host_names: Sequence[str] = (),
    tls: tuple[Path, Path] | None = None,
    token_file: str | None = None,
    ingress: str | None = None,
) -> None:
    """Serve the page until SIGINT or SIGTERM; the arguments are those of `streamtag.dashboard.launch`.

    Raises:
        StreamtagError: An argument is wrong, or the address cannot be had.
    """
    account = read_account(auth) if auth else None
    token = read_token(token_file) if token_file else None
    context = None if tls is None else open_context(*tls)
    if ingress is None:
        _warn(host, account, is_encrypted=context is not None)
    connections = Connections()
    listener = _listen(host, port, connections)
    with private_folder("streamtag-page-") as folder:
        tempfile.tempdir = str(folder)
        app = build(
            Hub(connect, key),
            config,
            logins=Logins(account, f"streamtag-{port}", token),
            names=HostNames([host, *host_names]) if ingress is None else AnyHost(),
            may_write=allow_write or account is not None,
            folder=folder,
            ingress=ingress,
        )
        gc.freeze()  # what was loaded stays until the end: looking through it again would cost seconds there
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        logging.getLogger("uvicorn.error").addFilter(lambda record: not str(record.msg).startswith(_OF_VISITORS))
        http, websocket = protocols(connections)
        settings = uvicorn.Config(
            app,
            loop="asyncio",
            http=http,
            ws=websocket,
            log_config=None,
            access_log=False,
            proxy_headers=ingress is None,
            server_header=False,
            backlog=_BACKLOG,
            ws_max_size=_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=_GOODBYE_SECONDS,
            callback_notify=connections.sweep,
            timeout_notify=1,
            ssl_context_factory=None if context is None else lambda *_: context,
        )
        uvicorn.Server(settings).run(sockets=[listener])


def build(
    hub: Hub,
    config: Config,
    *,
    logins: Logins,
    names: HostNames,
    may_write: bool,
    folder: Path,
    ingress: str | None = None,
) -> ASGIApp:
    """Return the whole application, which starts and stops the hub and keeps what it needs for a moment in `folder`."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        hub.start()
        api.start()
        wall.start()
        listening.start()
        yield
        listening.stop()
        wall.stop()
        api.stop()
        hub.stop()
        taught.close()
        recordings.close()

    api = Api(hub.endpoint, config, hub.key)
    wall = Wall(hub.endpoint, hub.key)
    listening = Listening(hub, is_allowed=config.page.listen)
    streams = StreamRoutes(api.feed, wall)
    spool = Spool(folder)
    past, thresholds = HistoryRoutes(config), ThresholdRoutes(hub, config, may_write=may_write)
    alerts = AlertRoutes(hub, config, may_write=may_write)
    groups = GroupRoutes(hub, config, may_write=may_write)
    live, microphones, recordings = LiveFeed(hub), Microphones(hub), Recordings(config, spool)
    taught = Taught(config, recordings.pool)
    review = ReviewRoutes(taught, may_write=may_write, user=logins.account.user if logins.account else "")
    teaching = TeachRoutes(taught, spool, may_write=may_write)

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes += [
        Mount(STATIC, StaticFiles(directory=str(resources.files("streamtag.dashboard") / "static"))),
        api.mount,
        WebSocketRoute("/streamtag/live", live.serve),
        WebSocketRoute("/streamtag/listen", listening.serve),
        WebSocketRoute(MICROPHONE, microphones.serve),
        Route(RECORDING, recordings.serve, methods=["POST"]),
        Route("/streamtag/streams", _fresh(streams.show)),
        Route("/streamtag/history", _fresh(past.search)),
        Route("/streamtag/day", _fresh(past.counts)),
        Route(EXPORT, Export(past, spool), methods=["GET"]),
        Route("/streamtag/history/clips/{event}", past.clip),
        Route("/streamtag/history/pictures/{event}", review.picture),
        Route("/streamtag/history/like", _fresh(review.like)),
        Route("/streamtag/history/judge", review.judge, methods=["POST"]),
        Route("/streamtag/teach", _fresh(teaching.show)),
        Route(TEACH, teaching.teach, methods=["POST"]),
        Route("/streamtag/teach/found", _fresh(teaching.found)),
        Route("/streamtag/teach/forget", teaching.forget, methods=["POST"]),
        Route("/streamtag/teach/picture", teaching.picture, methods=["POST"]),
        Route("/streamtag/tuning", _fresh(thresholds.show)),
        Route("/streamtag/tuning/preview", _fresh(thresholds.preview)),
        Route("/streamtag/tuning/save", thresholds.save, methods=["POST"]),
        Route("/streamtag/groups", _fresh(groups.show)),
        Route("/streamtag/groups/save", groups.save, methods=["POST"]),
        Route("/streamtag/groups/remove", groups.remove, methods=["POST"]),
        Route("/streamtag/alerts", _fresh(alerts.show)),
        Route("/streamtag/alerts/try", _fresh(alerts.preview)),
        Route("/streamtag/alerts/save", alerts.save, methods=["POST"]),
        Route("/streamtag/alerts/remove", alerts.remove, methods=["POST"]),
    ]
    mount_page(app, folder, with_logout=logins.account is not None, with_listening=config.page.listen)
    limits = Limits(Prefixed(app), streams=frozenset({EVENTS}), own=frozenset({RECORDING, EXPORT, TEACH}))
    access = Access(limits, logins=logins, names=names, large={RECORDING: MOST_BYTES, TEACH: MOST_EXAMPLE_BYTES})
    page = SecurityHeaders(access, in_frame=ingress is not None)
    return page if ingress is None else Ingress(page, ingress)


def _fresh(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    def respond_fresh(request: Request) -> Response:
        response = answer(request)
        response.headers["Cache-Control"] = "no-store"
        return response

    return respond_fresh


def _warn(host: str, account: Account | None, *, is_encrypted: bool) -> None:
    if is_loopback(host):
        return
    if account is None:
        logger.warning("everybody who reaches %s may look at this page: use --auth to ask for a password", host)
    elif not is_encrypted:
        logger.warning(
            "passwords cross the network in the clear: use --tls-cert and --tls-key, or a server with https before %s",
            host,
        )


def _listen(host: str, port: int, connections: Connections) -> Listener:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = Listener(family, socket.SOCK_STREAM)
    listener.connections = connections
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StreamtagError(
            f"the web page cannot listen at {host}, port {port}: {error.strerror}; choose another with --host or --port"
        ) from error
    return listener
