"""How much of the page's time one visitor gets: one piece of work at once, and a bounded number of open streams."""

from collections.abc import Callable
from typing import Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from streamtag.dashboard.access import VISITOR
from streamtag.dashboard.slots import FullError, Slots

__all__ = ["Limits"]

_FREE: Final = ("/streamtag/static/", "/assets/", "/static/", "/favicon.ico")
"""Beginnings of the paths of files, which cost next to nothing."""


class Limits:
    """Lets one request of a visitor be worked on at once; the visitor's next ones wait, other visitors' do not."""

    def __init__(self, app: ASGIApp, *, streams: frozenset[str], own: frozenset[str]) -> None:
        """Stand before an application.

        Args:
            app: what does the work.
            streams: paths that answer for as long as somebody listens, beside the WebSockets.
            own: paths that bound themselves.
        """
        self._app = app
        self._streams = streams
        self._own = own
        self._open = Slots(in_all=512, by_visitor=256)
        self._work = Slots(in_all=8, by_visitor=1, waiting=256, seconds=30.0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        if scope["type"] == "lifespan" or path.startswith(_FREE) or path in self._own:
            await self._app(scope, receive, send)
            return
        is_stream = scope["type"] == "websocket" or path in self._streams
        slots = self._open if is_stream else self._work
        try:
            async with slots.taken(scope[VISITOR]) as leave:
                await self._app(scope, receive, send if is_stream else _leaving(send, leave))
        except FullError:
            await _refuse(scope, receive, send)
        except WebSocketDisconnect:
            pass  # it left while it was told something


def _leaving(send: Send, leave: Callable[[], None]) -> Send:
    """Leave a place once the answer begins: how fast it is read is the visitor's affair."""

    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            leave()
        await send(message)

    return send_on


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1013, "reason": ""})
        return
    busy = {"error": "The page is busy. Please try again in a moment."}
    await JSONResponse(busy, 503, {"Retry-After": "5"})(scope, receive, send)
