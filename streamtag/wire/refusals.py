"""Noticing that a service does not let a socket in, and trying again, which ZeroMQ by itself does not."""

import logging
import sys
import time
from contextlib import suppress
from typing import Any, Final

import zmq

__all__ = ["Refusals"]

_log = logging.getLogger(__name__)

_KINDS: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)
_SILENT: Final = 3
"""So many connections that end without a word are a refusal: one may be a service that was stopped."""
_REST_SECONDS: Final = 1.0


class Refusals:
    """Watches the handshakes of a socket; to be made before it connects, and used by the thread that uses the socket.

    Attributes:
        socket: Readable when there is something to `read_events`.
    """

    def __init__(self, watched: "zmq.Socket[Any]", endpoint: str) -> None:
        self.socket = watched.get_monitor_socket(_KINDS)
        self._watched = watched
        self._endpoint = endpoint
        self._count = 0
        self._told = False
        self._tried = time.monotonic()
        self._due: float | None = None

    def read_events(self) -> None:
        """Take in what came of the handshakes since the last time; a refusal is logged once."""
        while self.socket.poll(0):
            event, _address = self.socket.recv_multipart()
            kind = int.from_bytes(event[:2], sys.byteorder)
            self._count += 1 if kind == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL else _SILENT
            self._due = self._tried + _REST_SECONDS
        if self._count >= _SILENT and not self._told:
            self._told = True
            _log.warning(
                "the service at %s does not let this program in: it asks for another key, or for none", self._endpoint
            )

    def rest_ms(self) -> int | None:
        """Tell how long to wait before `retry`, None where nothing is to be tried again."""
        return None if self._due is None else max(0, round((self._due - time.monotonic()) * 1000))

    def retry(self) -> None:
        """Connect again where a connection was refused, at most once a second; ZeroMQ gives up such a one for good."""
        if self.rest_ms() == 0:
            self._due, self._tried = None, time.monotonic()
            with suppress(zmq.ZMQError):  # it may be gone already
                self._watched.disconnect(self._endpoint)
            self._watched.connect(self._endpoint)
