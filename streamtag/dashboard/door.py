"""The one door of the dashboard: every route, WebSocket and file lies behind it."""

import asyncio
import base64
import binascii
import hmac
import secrets
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamtag.errors import ConfigError

__all__ = ["Account", "Door", "read_account"]

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_CLOSED: Final = ("upload", "file", "proxy", "stream", "component_server", "vibe", "deep_link", "process_recording")
"""What Gradio would offer below `/gradio_api/` and no page here uses."""
_SMALL_BYTES: Final = 1 << 20
_SESSION_SECONDS: Final = 7 * 86400.0
_MOST_SESSIONS: Final = 1000
_WRONG_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Account:
    """Who may come in."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Account(user={self.user!r})"

    def fits(self, user: str, password: str) -> bool:
        """Tell whether these are the ones, in a time that does not depend on how much of them is right."""
        same_user = hmac.compare_digest(user.encode(), self.user.encode())
        return hmac.compare_digest(password.encode(), self.password.encode()) and same_user


def read_account(text: str) -> Account:
    """Read `user:password-file`.

    Raises:
        ConfigError: It has not that form, or the file cannot be read or is empty.
    """
    user, colon, file = text.partition(":")
    if not user or not colon or not file:
        raise ConfigError("--auth takes user:password-file, such as anna:/etc/streamtag/password")
    try:
        password = Path(file).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text in UTF-8"
        raise ConfigError(f"--auth: the password file named behind the colon cannot be read: {reason}") from error
    if not password or not password[0]:
        raise ConfigError(f"--auth: the password file {file} is empty; its first line is the password")
    return Account(user, password[0])


class Door:
    """Lets in who belongs in, and nothing that is too large or comes from another site's page."""

    def __init__(
        self, app: ASGIApp, *, account: Account | None, loopback_only: bool, large: dict[str, int], cookie: str
    ) -> None:
        """Stand before an application.

        Args:
            app: what is behind the door.
            account: who may come in; None for everybody who reaches the address.
            loopback_only: whether the server is bound to this machine, so that other names for it are a trick.
            large: paths whose requests may be larger than 1 MiB, with their most bytes.
            cookie: the name of the cookie.
        """
        self._app = app
        self._account = account
        self._loopback_only = loopback_only
        self._large = large
        self._cookie = cookie
        self._sessions: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        response = self._refusal(scope, headers)
        if response is None and scope["type"] == "http" and scope["path"] in ("/login", "/logout"):
            response = await self._reception(Request(scope, receive))
        if response is None and not self._is_known(headers):
            wants_page = scope["type"] == "http" and "text/html" in headers.get("accept", "")
            response = RedirectResponse("/login", 303) if wants_page else PlainTextResponse("Please log in.\n", 401)
        if response is not None:
            await _refuse(response, scope, receive, send)
            return
        most = self._large.get(scope["path"], _SMALL_BYTES)
        await self._app(scope, _Bounded(receive, most) if scope["type"] == "http" else receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if self._loopback_only and urlsplit(f"//{host}").hostname not in _LOOPBACK:
            return PlainTextResponse("This page is for this machine only.\n", 403)
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD", "OPTIONS")
        origin = headers.get("origin")
        if changes and origin is not None and urlsplit(origin).netloc != host:
            return PlainTextResponse("Another site's page may not do this.\n", 403)
        path = scope["path"].removeprefix("/gradio_api/")
        if path != scope["path"] and path.startswith(_CLOSED):
            return PlainTextResponse("Not found\n", 404)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._large.get(scope["path"], _SMALL_BYTES):
            return PlainTextResponse("That is too large.\n", 413)
        return None

    async def _reception(self, request: Request) -> Response:
        if request.url.path == "/logout":
            self._sessions.pop(request.cookies.get(self._cookie, ""), None)
            response: Response = RedirectResponse("/login", 303)
            response.delete_cookie(self._cookie)
            return response
        if self._account is None or self._is_known(request.headers):
            return RedirectResponse("/", 303)
        if request.method != "POST":
            return _login_page(200)
        form = await Request(request.scope, _Bounded(request.receive, _SMALL_BYTES)).form(max_files=0, max_fields=4)
        user, password = form.get("user"), form.get("password")
        if not (isinstance(user, str) and isinstance(password, str) and self._account.fits(user, password)):
            await asyncio.sleep(_WRONG_SECONDS)
            return _login_page(401)
        response = RedirectResponse("/", 303)
        response.set_cookie(
            self._cookie,
            self._open_session(),
            max_age=int(_SESSION_SECONDS),
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response

    def _open_session(self) -> str:
        now = time.monotonic()
        self._sessions = {token: end for token, end in self._sessions.items() if end > now}
        while len(self._sessions) >= _MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        token = secrets.token_urlsafe(32)
        self._sessions[token] = now + _SESSION_SECONDS
        return token

    def _is_known(self, headers: Headers) -> bool:
        if self._account is None:
            return True
        token = cookie_parser(headers.get("cookie", "")).get(self._cookie, "")
        if self._sessions.get(token, 0.0) > time.monotonic():
            return True
        kind, _, encoded = headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return False
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return self._account.fits(user, password)


class _Bounded:
    """A request's body, cut off where it is longer than it may be."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._left = most

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        return message if self._left >= 0 else {"type": "http.disconnect"}


async def _refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4401, "reason": ""})
        return
    await response(scope, receive, send)


def _login_page(status: int) -> Response:
    text = (resources.files("streamtag.dashboard") / "static" / "login.html").read_text(encoding="utf-8")
    wrong = "" if status == 200 else '<p role="alert">That was not the right name or password.</p>'
    fields: dict[str, Any] = {"status_code": status, "headers": {"Cache-Control": "no-store"}}
    return HTMLResponse(text.replace("<!-- wrong -->", wrong), **fields)
