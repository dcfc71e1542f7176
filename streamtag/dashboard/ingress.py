"""The page within Home Assistant: asked for by its ingress alone, under a path of its own.

Home Assistant has judged who may see it. Its ingress comes from one address and says in headers under which path, name
and scheme the browser knows the page.
"""

import re
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from streamtag.dashboard.hosts import HostNames, is_loopback

__all__ = ["AnyHost", "Ingress", "Prefixed"]

_PREFIX: Final = "streamtag.prefix"
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_.~-]{1,128}){1,8}")


class AnyHost(HostNames):
    """Every name that could be one: who is asked through is known by its address."""

    def _is_known(self, name: str) -> bool:
        return True


class Ingress:
    """Answers one address, as whoever it asks for; and this machine itself, which looks after the page."""

    def __init__(self, app: ASGIApp, peer: str) -> None:
        """Stand before all that judges a request.

        Args:
            app: What is behind this.
            peer: The ingress's address.
        """
        self._app = app
        self._peer = ip_address(peer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        client = (scope.get("client") or ("",))[0]
        if not is_loopback(client):
            if not self._is_peer(client):
                if scope["type"] == "websocket":
                    await receive()
                    await send({"type": "websocket.close", "code": 1008})
                    return
                await PlainTextResponse("This page is reached through Home Assistant.\n", 403)(scope, receive, send)
                return
            scope = _as_asked(scope)
        await self._app(scope, receive, send)

    def _is_peer(self, client: str) -> bool:
        try:
            return ip_address(client) == self._peer
        except ValueError:
            return False


class Prefixed:
    """Tells an application under which path the browser knows it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        prefix = scope.get(_PREFIX, "")
        if prefix:
            scope = {**scope, "root_path": prefix, "path": prefix + scope["path"]}
        await self._app(scope, receive, send)


def _as_asked(scope: Scope) -> Scope:
    """Return a request as the browser made it."""
    headers = Headers(scope=scope)
    scope = {**scope, "headers": list(scope["headers"])}
    if host := headers.get("x-forwarded-host"):
        MutableHeaders(scope=scope)["host"] = host
    if headers.get("x-forwarded-proto") == "https":
        scope["scheme"] = {"http": "https", "ws": "wss"}.get(scope["scheme"], scope["scheme"])
    path = headers.get("x-ingress-path", "")
    if _PATH.fullmatch(path):
        scope[_PREFIX] = path
    try:
        visitor = ip_address(headers.get("x-forwarded-for", "").partition(",")[0].strip())
    except ValueError:
        return scope
    scope["client"] = (str(visitor), 0)
    return scope
