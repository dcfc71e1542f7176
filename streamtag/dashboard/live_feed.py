"""The socket of a page that looks at a stream."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from streamtag.dashboard.access import VISITOR
from streamtag.dashboard.hub import Hub
from streamtag.dashboard.slots import FullError, Slots
from streamtag.limits import is_stream_id

__all__ = ["LiveFeed"]

_MOST_WAITING: Final = 200
_MOST_BYTES: Final = 2 << 20
"""What waits for a page that is slow; the oldest go."""
_REST_SECONDS: Final = 0.01
"""Between two looks into the past that a visitor asks for, so that the hub has time for others."""


class _Request(msgspec.Struct):
    watch: str


class _Page:
    """A viewer of the hub: collects in the server's loop what the hub's thread offers."""

    def __init__(self) -> None:
        self.stream = ""
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[str | bytes] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()

    def offer(self, message: str | bytes) -> None:
        with suppress(RuntimeError):  # the loop has ended, and with it the page
            self._loop.call_soon_threadsafe(self._put, message)

    def _put(self, message: str | bytes) -> None:
        self._waiting.append(message)
        self._bytes += len(message)
        while len(self._waiting) > 1 and (len(self._waiting) > _MOST_WAITING or self._bytes > _MOST_BYTES):
            self._bytes -= len(self._waiting.popleft())
        self._filled.set()

    async def send_to(self, socket: WebSocket) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._waiting:
                    message = self._waiting.popleft()
                    self._bytes -= len(message)
                    if isinstance(message, str):
                        await socket.send_text(message)
                    else:
                        await socket.send_bytes(message)


class LiveFeed:
    """Tells pages what the hub hears, each of the stream that it names with `{"watch": ID}`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._looks = Slots(in_all=2, by_visitor=1, waiting=512, seconds=60.0)

    async def serve(self, socket: WebSocket) -> None:
        """Serve one page until it leaves, or says what no page of ours would."""
        await socket.accept()
        page, requests = _Page(), _Requests()
        visitor = socket.scope[VISITOR]
        added = asyncio.get_running_loop().run_in_executor(None, self._hub.add, page)
        tasks = [
            asyncio.create_task(page.send_to(socket)),
            asyncio.create_task(self._watch(page, requests, visitor)),
        ]
        try:
            await asyncio.shield(added)
            while True:
                requests.put(await socket.receive_text())
        except (WebSocketDisconnect, WebSocketDisconnected, KeyError, msgspec.DecodeError, RecursionError):
            pass  # it left while it was told something, or said nonsense
        finally:
            for task in tasks:
                task.cancel()
            added.add_done_callback(lambda _: self._hub.remove(page))  # never before it was added
            await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(RuntimeError, WebSocketDisconnect):
            await socket.close(1008)

    async def _watch(self, page: _Page, requests: "_Requests", visitor: str) -> None:
        while True:
            stream = await requests.get()
            with suppress(FullError):
                async with self._looks.taken(visitor):
                    await self._look(page, stream)
                    await asyncio.sleep(_REST_SECONDS)

    async def _look(self, page: _Page, stream: str) -> None:
        look = asyncio.create_task(asyncio.to_thread(self._hub.watch, page, stream))
        try:
            await asyncio.shield(look)
        except asyncio.CancelledError:
            await look  # a thread that has begun comes to its end
            raise


class _Requests:
    """The newest wish of a page; one that was not fulfilled yet is forgotten."""

    def __init__(self) -> None:
        self._stream = ""
        self._is_new = asyncio.Event()

    def put(self, text: str) -> None:
        stream = msgspec.json.decode(text, type=_Request).watch
        if is_stream_id(stream):
            self._stream = stream
            self._is_new.set()

    async def get(self) -> str:
        await self._is_new.wait()
        self._is_new.clear()
        return self._stream
