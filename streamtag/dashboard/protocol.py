"""uvicorn's connections, with a limit for how long one may do nothing and how slowly it may read."""

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from streamtag.dashboard.connections import Connections
from streamtag.token_bucket import TokenBucket

__all__ = ["MICROPHONE", "protocols"]

MICROPHONE: Final = "/streamtag/microphone"
_SOUND: Final = (8 << 20, 1 << 20)
_REQUESTS: Final = (8 << 10, 1 << 10)
"""Bytes that a microphone, and any other page, may send at once and then each second."""
_SLICE_BYTES: Final = 4 << 10
"""What is taken apart in one go: thousands of tiny messages would hold up everybody."""
_SWITCHING: Final = 101

_STALLED_SECONDS: Final = 10.0
"""The least speed of whoever reads: what uvicorn lets wait, some 50 kB, in this time."""


def protocols(connections: Connections) -> tuple[type[asyncio.Protocol], type[asyncio.Protocol]]:
    """Return uvicorn's protocols for HTTP and for WebSockets, which tell how their connections are used."""

    class Http(_Stalling, H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._connection = connections.find(transport)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._note()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._note()

        def send_400_response(self, msg: str) -> None:
            # What is wrong may be the body of a request that is being answered, or was: uvicorn would answer it twice.
            if self.cycle is not None and not self.cycle.response_complete:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                super().send_400_response(msg)
            else:
                self.transport.close()

        def _note(self) -> None:
            if self._connection is None:
                return
            is_upgraded = self.transport.get_protocol() is not self
            if is_upgraded or (self.cycle is not None and not self.cycle.response_complete):
                connections.work(self._connection)
            else:
                connections.rest(self._connection)

    class WebSocket(_Stalling, WebSocketsSansIOProtocol):
        _pace: TokenBucket | None = None

        def data_received(self, data: bytes) -> None:
            if not self.handshake_initiated:
                super().data_received(data)
                return
            if self._pace is None:
                path = self.scope["path"] if self.response.status_code == _SWITCHING else ""
                self._pace = TokenBucket(*_SOUND if path == MICROPHONE else _REQUESTS)
            if not self._pace.spend(len(data)):
                self.transport.abort()
                return
            for begin in range(0, len(data), _SLICE_BYTES):
                super().data_received(data[begin : begin + _SLICE_BYTES])

    return Http, WebSocket


class _Stalling:
    """Ends a connection that stopped reading."""

    transport: Any
    _stalled: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """Wait for the client, and not for ever."""
        super().pause_writing()  # type: ignore[misc]
        self._stalled = asyncio.get_running_loop().call_later(_STALLED_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Wait no longer."""
        super().resume_writing()  # type: ignore[misc]
        self._wait_no_longer()

    def connection_lost(self, error: Exception | None) -> None:
        """Wait no longer either."""
        super().connection_lost(error)  # type: ignore[misc]
        self._wait_no_longer()

    def _wait_no_longer(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
