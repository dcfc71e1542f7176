"""The socket of a page that looks at a stream."""

import asyncio
import json
from collections import deque
from contextlib import suppress
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from streamtag.dashboard.hub import Hub
from streamtag.limits import is_stream_id

__all__ = ["serve_live"]

_MOST_WAITING: Final = 200
"""Messages that wait for a page that is slow; the oldest go."""


class _Page:
    """A viewer of the hub: collects in the server's loop what the hub's thread offers."""

    def __init__(self) -> None:
        self.stream = ""
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[str | bytes] = deque(maxlen=_MOST_WAITING)
        self._filled = asyncio.Event()

    def offer(self, message: str | bytes) -> None:
        with suppress(RuntimeError):  # the loop has ended, and with it the page
            self._loop.call_soon_threadsafe(self._put, message)

    def _put(self, message: str | bytes) -> None:
        self._waiting.append(message)
        self._filled.set()

    async def send_to(self, socket: WebSocket) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._waiting:
                    message = self._waiting.popleft()
                    if isinstance(message, str):
                        await socket.send_text(message)
                    else:
                        await socket.send_bytes(message)


async def serve_live(socket: WebSocket, hub: Hub) -> None:
    """Tell a page what the hub hears, of the stream that the page names with `{"watch": ID}`."""
    await socket.accept()
    page = _Page()
    hub.add(page)
    sending = asyncio.create_task(page.send_to(socket))
    try:
        while True:
            wish = json.loads(await socket.receive_text())
            stream = wish.get("watch") if isinstance(wish, dict) else None
            if isinstance(stream, str) and is_stream_id(stream):
                hub.watch(page, stream)
    except (WebSocketDisconnect, KeyError, ValueError):
        pass
    finally:
        sending.cancel()
        hub.remove(page)
