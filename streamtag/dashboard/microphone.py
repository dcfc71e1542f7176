"""Visitors' microphones: sound from the page to the service, nothing of it stored."""

import asyncio
import json
import re
import secrets
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

from streamtag.dashboard.access import VISITOR
from streamtag.dashboard.hub import Hub
from streamtag.dashboard.slots import FullError, Slots
from streamtag.errors import WireError
from streamtag.limits import PRIVATE_PREFIX, RATES
from streamtag.wire import PcmPusher
from streamtag.wire.endpoints import reachable

__all__ = ["Microphones"]

MOST_VISITORS: Final = 8
MOST_SECONDS: Final = 600.0
_BY_VISITOR: Final = 4
_AHEAD_SECONDS: Final = 10.0
"""How much more than real time a page may send, for a connection that had to catch up."""
_PUSH_SECONDS: Final = 3.0
_IDLE_SECONDS: Final = 15.0
_TAKEN_SECONDS: Final = 5.0
"""The service tells of a new stream in less than a second."""
_HEAD: Final = struct.Struct("<d")


class Microphones:
    """Takes microphones in, a bounded number of them for a bounded time."""

    def __init__(self, hub: Hub, taken_seconds: float = _TAKEN_SECONDS) -> None:
        self._hub = hub
        self._taken_seconds = taken_seconds
        self._slots = Slots(in_all=MOST_VISITORS, by_visitor=_BY_VISITOR)

    async def serve(self, socket: WebSocket) -> None:
        """Take the sound of one page.

        The page tells its rate in the query and sends binary messages: index of the first sample as float64, then
        int16 samples. It ends with the text `{"end": true}`. It is told `ready` or `refused`, once a second how much
        came in (from when the service has taken the stream up), and at the end `ended`.
        """
        await socket.accept()
        rate = socket.query_params.get("rate", "")
        refusal = self._refusal(rate)
        if not refusal:
            try:
                async with self._slots.taken(socket.scope[VISITOR]):
                    await self._serve(socket, int(rate))
                return
            except FullError:
                refusal = "As many microphones as may be are being tagged already. Please try again later."
        await _send(socket, kind="refused", reason=refusal)
        with suppress(RuntimeError):
            await socket.close()

    async def _serve(self, socket: WebSocket, rate: int) -> None:
        stream = PRIVATE_PREFIX + secrets.token_hex(8)
        service = self._hub.service or {}
        pusher = PcmPusher(reachable(service["input"], self._hub.endpoint), _PUSH_SECONDS, key=self._hub.key)
        # One thread uses the pusher; what it was given is done in order even where this task is cancelled meanwhile.
        thread = ThreadPoolExecutor(1, "microphone")
        try:
            await _send(socket, kind="ready", stream=stream, seconds=MOST_SECONDS)
            await _Reception(socket, pusher, thread, stream, rate, self._hub, self._taken_seconds).run()
        finally:
            closed = thread.submit(pusher.close)
            thread.shutdown(wait=False)
            await asyncio.shield(asyncio.wrap_future(closed))

    def _refusal(self, rate: str) -> str:
        service = self._hub.service
        if service is None:
            return "The tagging service is not running, so nobody is there to listen."
        if service.get("input") is None:
            return "This service takes no sound from other programs, so it cannot hear your microphone."
        if not re.fullmatch("[0-9]{4,6}", rate) or not RATES.hold(int(rate)):
            return "Your browser records at a rate that the service cannot use."
        return ""


class _Reception:
    """The sound of one page, from its first sample to its last."""

    def __init__(
        self,
        socket: WebSocket,
        pusher: PcmPusher,
        thread: ThreadPoolExecutor,
        stream: str,
        rate: int,
        hub: Hub,
        taken_seconds: float,
    ) -> None:
        self._socket = socket
        self._pusher = pusher
        self._thread = thread
        self._stream = stream
        self._rate = rate
        self._hub = hub
        self._taken_seconds = taken_seconds
        self._is_taken = False
        self._received = 0
        self._began = time.monotonic()
        self._told = self._began

    async def run(self) -> None:
        reason = ""
        try:
            reason = await self._receive()
        except WireError:
            reason = "The tagging service went away."
        except (WebSocketDisconnect, TimeoutError):
            pass
        finally:
            ended = self._thread.submit(self._pusher.end, self._stream)
            with suppress(WireError):
                await asyncio.shield(asyncio.wrap_future(ended))
        with suppress(WebSocketDisconnect, RuntimeError):
            await _send(self._socket, kind="ended", samples=self._received, reason=reason)
            await self._socket.close()

    async def _receive(self) -> str:
        while True:
            message = await asyncio.wait_for(self._socket.receive(), _IDLE_SECONDS)
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect
            data = message.get("bytes")
            if data is None:
                return ""
            now = time.monotonic()
            if now - self._began > MOST_SECONDS:
                return f"{MOST_SECONDS / 60:.0f} minutes are over."
            if len(data) <= _HEAD.size or len(data) % 2:
                return "The page sent something that is no sound."
            start = _HEAD.unpack_from(data)[0]
            samples = np.frombuffer(data, "<i2", offset=_HEAD.size)
            self._received += len(samples)
            if self._received > (now - self._began + _AHEAD_SECONDS) * self._rate or not 0 <= start < 2**52:
                return "The page sent more than a microphone can."
            pushed = self._thread.submit(self._pusher.push, self._stream, samples, self._rate, int(start))
            await asyncio.wrap_future(pushed)
            self._is_taken = self._is_taken or self._hub.has(self._stream)
            if not self._is_taken and now - self._began > self._taken_seconds:
                return "The service takes no more streams: it has as many as it may."
            if self._is_taken and now - self._told >= 1.0:
                self._told = now
                await _send(self._socket, kind="received", samples=self._received)


async def _send(socket: WebSocket, **fields: Any) -> None:
    await socket.send_text(json.dumps(fields))
