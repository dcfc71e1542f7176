"""What stands before every route, WebSocket and file of the page: whether a request is answered at all."""

import asyncio
import html
import logging
import math
import re
from importlib import resources
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from streamtag.dashboard.body import Body, read_all
from streamtag.dashboard.failures import network_of
from streamtag.dashboard.hosts import HostNames, is_loopback
from streamtag.dashboard.login import API, SESSION_SECONDS, Logins, WaitError

__all__ = ["VISITOR", "Access"]

VISITOR: Final = "streamtag.visitor"
"""Where a request's scope says whose it is: an address, or a network of them."""
_SMALL_BYTES: Final = 1 << 20
_FORM_BYTES: Final = 1 << 12
_WRONG_SECONDS: Final = 0.5
_OWN: Final = ("/streamtag/", API)
_OF_GRADIO: Final = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/manifest\.json|/gradio_api/info|/(assets|static)/.+"
)
"""What the page needs of Gradio; the rest (uploads, files, proxies, queues) is not there."""
_PATH: Final = re.compile(r"(?=.{1,1024}\Z)(/[^/\x00-\x1f\x7f\ufffd]{0,200})+")
"""What a path may look like: longer ones, and such that are no text, name no file."""
_LEFT_OUT: Final = (b"x-", b"forwarded", b"cookie", b"authorization")
"""Beginnings of the names of headers that nobody behind this is told: the server has judged them."""

logger = logging.getLogger(__name__)


class Access:
    """Lets in who belongs in, under a name of this machine, and nothing too large or from another site's page."""

    def __init__(self, app: ASGIApp, *, logins: Logins, names: HostNames, large: dict[str, int]) -> None:
        """Stand before an application.

        Args:
            app: what is behind this.
            logins: who may come in.
            names: under which names the page may be asked for.
            large: paths whose requests may be larger than 1 MiB, with their most bytes.
        """
        self._app = app
        self._logins = logins
        self._names = names
        self._large = large
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        visitor = network_of((scope.get("client") or ("unknown",))[0])
        response = self._refusal(scope, headers)
        if response is None and scope["type"] == "http" and scope["path"] in ("/login", "/logout"):
            response = await self._reception(Request(scope, receive), visitor)
        if response is None:
            response = self._stranger(scope, headers, visitor)
        if response is None and not (scope["path"].startswith(_OWN) or _OF_GRADIO.fullmatch(scope["path"])):
            response = PlainTextResponse("Not found\n", 404)
        if response is not None:
            await _refuse(response, scope, receive, send)
            return
        kept = [(name, value) for name, value in scope["headers"] if not name.lower().startswith(_LEFT_OUT)]
        scope = {**scope, "headers": kept, VISITOR: visitor}
        if scope["type"] == "http":
            receive = Body(scope, receive, self._large.get(scope["path"], _SMALL_BYTES))
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if reason := self._names.refusal(host):
            return PlainTextResponse(f"{reason}\n", 403)
        if not _PATH.fullmatch(scope["path"]):
            return PlainTextResponse("Not found\n", 404)
        allowed = "GET" if scope["path"].startswith(API) else "GET, HEAD, POST"
        if scope["type"] == "http" and scope["method"] not in allowed.split(", "):
            return PlainTextResponse("Method Not Allowed\n", 405, {"Allow": allowed})
        changes = scope["type"] == "websocket" or scope["method"] == "POST"
        origin = headers.get("origin")
        if changes and origin is not None and not self._names.is_same_site(origin, host):
            return PlainTextResponse("Another site's page may not do this.\n", 403)
        length = headers.get("content-length", "0")
        most = self._large.get(scope["path"], _SMALL_BYTES)
        if len(length) > len(str(most)) or not length.isdecimal() or int(length) > most:
            return PlainTextResponse("That is too large.\n", 413)
        return None

    def _stranger(self, scope: Scope, headers: Headers, visitor: str) -> Response | None:
        """Return what somebody is told who may not come in."""
        try:
            if self._logins.is_known(headers, visitor, scope["path"]):
                return None
        except WaitError as error:
            return _later(error)
        if scope["path"].startswith(API):
            words = "Please log in, or send a token as Authorization: Bearer.\n"
            return PlainTextResponse(words, 401, {"WWW-Authenticate": "Bearer"})
        wants_page = scope["type"] == "http" and "text/html" in headers.get("accept", "")
        return (
            RedirectResponse("/login", 303)
            if wants_page and self._logins.account
            else PlainTextResponse("Please log in.\n", 401)
        )

    async def _reception(self, request: Request, visitor: str) -> Response:
        if self._logins.account is None:
            return RedirectResponse("/", 303)
        is_posted = request.method == "POST"
        if request.url.path == "/logout":
            if not is_posted:
                return PlainTextResponse("Method Not Allowed\n", 405, {"Allow": "POST"})
            self._logins.close_session(request.headers)
            left = RedirectResponse("/login", 303)
            left.delete_cookie(self._logins.cookie)
            return left
        is_open = request.scope["scheme"] == "http" and not is_loopback((request.scope.get("client") or ("",))[0])
        if not is_posted:
            return _login_page(200, is_open=is_open)
        if is_open and not self._warned:
            self._warned = True
            logger.warning("a password came over http from %s, and whoever is between could read it", visitor)
        try:
            token = self._logins.open_session(
                await read_all(Body(request.scope, request.receive, _FORM_BYTES)), visitor
            )
        except WaitError as error:
            return _later(error)
        if token is None:
            await asyncio.sleep(_WRONG_SECONDS)
            return _login_page(401, is_open=is_open)
        response = RedirectResponse("/", 303)
        response.set_cookie(
            self._logins.cookie,
            token,
            max_age=int(SESSION_SECONDS),
            httponly=True,
            samesite="lax",
            secure=request.scope["scheme"] == "https",
        )
        return response


async def _refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4401, "reason": ""})
        return
    if isinstance(response, PlainTextResponse) and scope["path"].startswith(API):
        kept = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        response = JSONResponse({"error": bytes(response.body).decode().strip()}, response.status_code, kept)
    await response(scope, receive, send)


def _later(error: WaitError) -> Response:
    seconds = math.ceil(error.seconds)
    words = f"Too many passwords were wrong. Please try again in {seconds} s.\n"
    return PlainTextResponse(words, 429, {"Retry-After": str(seconds)})


def _login_page(status: int, *, is_open: bool) -> Response:
    text = (resources.files("streamtag.dashboard") / "static" / "login.html").read_text(encoding="utf-8")
    notes = []
    if status != 200:
        notes.append("That was not the right name or password.")
    if is_open:
        notes.append("This connection is not encrypted: whoever is between can read the password.")
    words = "".join(f'<p role="alert">{html.escape(note)}</p>' for note in notes)
    return HTMLResponse(text.replace("<!-- notes -->", words), status, {"Cache-Control": "no-store"})
