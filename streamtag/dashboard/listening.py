"""Streams that visitors listen to: their sound from the service to the page, while somebody listens."""

import asyncio
import struct
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from streamtag.dashboard.access import VISITOR
from streamtag.dashboard.hub import Hub
from streamtag.dashboard.slots import FullError, Slots
from streamtag.limits import is_stream_id
from streamtag.threads import Worker
from streamtag.wire import AudioHeader, Subscriber

__all__ = ["Listening"]

MOST_LISTENERS: Final = 16
_BY_VISITOR: Final = 4
_MOST_WAITING: Final = 20
"""Pieces of 0.24 s that wait for a page that is slow; the oldest go."""
_LOOK_SECONDS: Final = 0.1
_HEAD: Final = struct.Struct("<ddI")
"""Unix seconds of the last sample, stream seconds of the first, samples a second; int16 samples follow."""
_CLOSED_TO_ALL: Final = "This page lets nobody listen: [page] listen = true in the service's configuration allows it."

HandOver = Callable[[bytes], None]


class Listening:
    """A subscriber of its own, which hears the sound of the streams that somebody listens to and of no others."""

    def __init__(self, hub: Hub, *, is_allowed: bool) -> None:
        """Connect where that is allowed, with the hub's key.

        Raises:
            WireError: The endpoint is malformed.
        """
        self._hub = hub
        self._subscriber = Subscriber(hub.endpoint, streams=[], kinds=["audio"], key=hub.key) if is_allowed else None
        self._slots = Slots(in_all=MOST_LISTENERS, by_visitor=_BY_VISITOR)
        self._listeners: dict[str, list[HandOver]] = {}
        self._followed: set[str] = set()
        self._lock = threading.Lock()
        self._thread = Worker("listening", self._run)

    def start(self) -> None:
        """Start the thread, where anybody may listen."""
        if self._subscriber is not None:
            self._thread.start()

    def stop(self) -> None:
        """Close the subscriber and end the thread."""
        if self._subscriber is not None:
            self._subscriber.close()
            self._thread.join(2.0)

    async def serve(self, socket: WebSocket) -> None:
        """Let one page listen to the stream that it names, until it leaves.

        It is told the text `{"error": …}` where it may not, and otherwise binary messages: see `_HEAD`.
        """
        await socket.accept()
        stream = socket.query_params.get("stream", "")
        if self._subscriber is None:
            await _refuse(socket, _CLOSED_TO_ALL)
        elif not is_stream_id(stream) or stream not in self._hub.streams():
            await _refuse(socket, "The service has no such stream.")
        else:
            try:
                async with self._slots.taken(socket.scope[VISITOR]):
                    await self._send(socket, stream)
            except FullError:
                await _refuse(socket, "As many listen already as may. Please try again later.")

    async def _send(self, socket: WebSocket, stream: str) -> None:
        loop, filled = asyncio.get_running_loop(), asyncio.Event()
        waiting: deque[bytes] = deque(maxlen=_MOST_WAITING)

        def put(piece: bytes) -> None:
            waiting.append(piece)
            filled.set()

        def hand_over(piece: bytes) -> None:
            with suppress(RuntimeError):  # the loop has ended, and with it the page
                loop.call_soon_threadsafe(put, piece)

        async def send() -> None:
            with suppress(WebSocketDisconnect, RuntimeError):
                while True:
                    await filled.wait()
                    filled.clear()
                    while waiting:
                        await socket.send_bytes(waiting.popleft())

        with self._lock:
            self._listeners.setdefault(stream, []).append(hand_over)
        task = asyncio.create_task(send())
        try:
            while (await socket.receive())["type"] != "websocket.disconnect":
                pass
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with self._lock:
                self._listeners[stream].remove(hand_over)
                if not self._listeners[stream]:
                    del self._listeners[stream]

    def _run(self) -> None:
        subscriber = self._subscriber
        assert subscriber is not None
        while True:
            message = subscriber.receive(_LOOK_SECONDS)
            if message is None and subscriber.closed:
                return
            with self._lock:
                wanted = set(self._listeners)
            for stream in wanted - self._followed:
                subscriber.follow(stream, ["audio"])
            for stream in self._followed - wanted:
                subscriber.leave(stream, ["audio"])
            self._followed = wanted
            header = None if message is None else message.typed
            if message is not None and message.samples is not None and isinstance(header, AudioHeader):
                piece = _HEAD.pack(header.time, header.start, header.rate) + message.samples.tobytes()
                with self._lock:
                    for hand_over in self._listeners.get(header.stream, ()):
                        hand_over(piece)


async def _refuse(socket: WebSocket, reason: str) -> None:
    with suppress(RuntimeError, WebSocketDisconnect):
        await socket.send_json({"error": reason})
        await socket.close()
