"""The web server: routes, the door before them, start and stop."""

import gc
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import resources
from ipaddress import ip_address
from typing import Final

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from streamtag.dashboard.answers import HistoryAnswers, TuningAnswers
from streamtag.dashboard.api import Api
from streamtag.dashboard.door import Account, Door, read_account
from streamtag.dashboard.hub import Hub
from streamtag.dashboard.live import serve_live
from streamtag.dashboard.microphone import Microphones
from streamtag.dashboard.page import STATIC, mount_page
from streamtag.dashboard.recordings import MOST_BYTES, Recordings
from streamtag.errors import StreamtagError
from streamtag.keys import ClientKey
from streamtag.settings import Config

__all__ = ["build", "serve"]

_MESSAGE_BYTES: Final = 1 << 18
_GOODBYE_SECONDS: Final = 1

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
) -> None:
    """Serve the page until SIGINT or SIGTERM; the arguments are those of `streamtag.dashboard.launch`.

    Raises:
        StreamtagError: An argument is wrong, or the address cannot be had.
    """
    account = read_account(auth) if auth else None
    if account is None and not _is_loopback(host):
        logger.warning("everybody who reaches %s may look at this page: use --auth to ask for a password", host)
    listener = _listen(host, port)
    app = build(
        Hub(connect, key), config, account=account, may_write=allow_write or account is not None, host=host, port=port
    )
    gc.freeze()  # what was loaded stays until the end: looking through it again would cost seconds there
    settings = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="websockets-sansio",
        ws_max_size=_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
    )
    uvicorn.Server(settings).run(sockets=[listener])


def build(hub: Hub, config: Config, *, account: Account | None, may_write: bool, host: str, port: int) -> ASGIApp:
    """Return the whole application, which starts and stops the hub."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        hub.start()
        api.start()
        yield
        api.stop()
        hub.stop()
        recordings.close()

    api = Api(hub.endpoint, config, hub.key)
    past, tuning = HistoryAnswers(config), TuningAnswers(hub, config, may_write=may_write)
    microphones, recordings = Microphones(hub), Recordings(config)

    async def live(socket: WebSocket) -> None:
        await serve_live(socket, hub)

    async def recording(request: Request) -> Response:
        return await recordings.serve(request)

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes += [
        Mount(STATIC, StaticFiles(directory=str(resources.files("streamtag.dashboard") / "static"))),
        api.mount,
        WebSocketRoute("/streamtag/live", live),
        WebSocketRoute("/streamtag/microphone", microphones.serve),
        Route("/streamtag/recording", recording, methods=["POST"]),
        Route("/streamtag/history", _fresh(past.search)),
        Route("/streamtag/history/export", past.download),
        Route("/streamtag/history/clips/{event:int}", past.clip),
        Route("/streamtag/tuning", _fresh(tuning.show)),
        Route("/streamtag/tuning/preview", _fresh(tuning.preview)),
        Route("/streamtag/tuning/save", tuning.save, methods=["POST"]),
    ]
    mount_page(app)
    return Door(
        app,
        account=account,
        loopback_only=_is_loopback(host),
        large={"/streamtag/recording": MOST_BYTES},
        cookie=f"streamtag-{port}",
    )


def _fresh(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    def answer_fresh(request: Request) -> Response:
        response = answer(request)
        response.headers["Cache-Control"] = "no-store"
        return response

    return answer_fresh


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StreamtagError(
            f"the web page cannot listen at {host}, port {port}: {error.strerror}; choose another with --host or --port"
        ) from error
    return listener
