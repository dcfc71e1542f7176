"""The socket through which a program gives a service something to take in."""

import math
from pathlib import Path
from typing import Final

import zmq

from streamtag.errors import WireError
from streamtag.keys import ClientKey, read_client_key
from streamtag.wire.endpoints import connect
from streamtag.wire.refusals import Refusals

__all__ = ["PushSocket"]

_QUEUE_MESSAGES: Final = 256
_LINGER_MS: Final = 1000
_SNDMORE: Final = int(zmq.SNDMORE)


class PushSocket:
    """Sends messages of two frames to a service's input; one thread uses it."""

    def __init__(self, endpoint: str, timeout_seconds: float, key: ClientKey | str | Path | None) -> None:
        """Connect; a service that is not there yet is waited for in the background.

        Args:
            endpoint: the service's ``[service] input``.
            timeout_seconds: how long `send` waits for a service that is away or behind.
            key: a client's key, or the path of its file, where the service asks for one.

        Raises:
            WireError: the endpoint is malformed.
            ConfigError: the key's file cannot be used.
        """
        key = read_client_key(key) if isinstance(key, str | Path) else key
        self._endpoint = endpoint
        self._timeout_seconds = timeout_seconds
        self._tries = max(1, math.ceil(timeout_seconds))  # a second at most each, as connections are tried again
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUSH)
        self._socket.set(zmq.SNDHWM, _QUEUE_MESSAGES)
        self._socket.set(zmq.IMMEDIATE, 1)  # nothing waits for a service that was never there
        self._socket.set(zmq.SNDTIMEO, round(timeout_seconds * 1000 / self._tries))
        if key is not None:
            key.apply(self._socket)
        self._refusals = Refusals(self._socket, endpoint)
        try:
            connect(self._socket, endpoint, "cannot push to")
        except WireError:
            self._context.destroy(linger=0)
            raise

    def send(self, header: bytes, payload: bytes, what: str) -> None:
        """Send a message.

        Args:
            header: its first frame.
            payload: its second.
            what: what it holds, in a word for the error.

        Raises:
            WireError: no service took it in time.
        """
        for _ in range(self._tries):
            try:
                self._socket.send(header, _SNDMORE)  # two sends cost half of send_multipart; only the first may wait
                break
            except zmq.Again:
                self._refusals.read_events()
                self._refusals.retry()
        else:
            raise WireError(
                f"no service took {what} at {self._endpoint} for {self._timeout_seconds:g} s; is it running, "
                "with [service] input set to this endpoint, and, where it asks for keys, is this one of its clients?"
            )
        self._socket.send(payload)

    def close(self) -> None:
        """Close; what was sent gets a second to leave."""
        self._context.destroy(linger=_LINGER_MS)
