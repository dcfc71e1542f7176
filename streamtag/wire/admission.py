"""Who may come in at a socket that is bound: ZeroMQ asks, and whoever owns the socket answers."""

import time
from typing import Any, Final

import zmq

from streamtag.keys import ServerKeys
from streamtag.wire.connection_limit import ConnectionLimit
from streamtag.wire.endpoints import bind
from streamtag.wire.subscriptions import MAX_FRAME_BYTES

__all__ = ["LOOK_MS", "Admission", "open_publishing"]

LOOK_MS: Final = 1000
"""So often at least a thread that guards a port calls `Admission.look_after`."""

_ZAP: Final = "inproc://zeromq.zap.01"
_NOBLOCK: Final = int(zmq.NOBLOCK)
_SEND_QUEUE_MESSAGES: Final = 10_000
"""Messages that wait for one subscriber; those of a subscriber that does not read are dropped beyond it."""


class Admission:
    """Prepares the sockets of one context for strangers; to be made before the first of them is bound.

    Each thread that owns a socket that is bound has a context of its own, and so an admission of its own: ZeroMQ asks
    within the context.

    Attributes:
        socket: Readable when somebody waits to be let in; None where everybody may come in.
    """

    def __init__(self, context: "zmq.Context[Any]", keys: ServerKeys | None) -> None:
        self._keys = keys
        self._limit: ConnectionLimit | None = None
        self.socket: zmq.Socket[bytes] | None = None
        if keys is not None:
            self.socket = context.socket(zmq.REP)
            self.socket.bind(_ZAP)

    def guard(self, socket: "zmq.Socket[Any]") -> None:
        """Let a socket take in nobody but those with a key, and notice who is gone without a word; before it binds.

        The kernel ends the connections of those who are gone, which every ZeroMQ client bears.
        """
        socket.set(zmq.TCP_KEEPALIVE, 1)
        socket.set(zmq.TCP_KEEPALIVE_IDLE, 30)
        socket.set(zmq.TCP_KEEPALIVE_INTVL, 10)
        socket.set(zmq.TCP_KEEPALIVE_CNT, 3)
        if self._keys is not None:
            self._keys.guard(socket)

    def bind(self, socket: "zmq.Socket[Any]", endpoint: str, purpose: str) -> str:
        """Bind a guarded socket as `endpoints.bind` does, and hold back floods of those who ask to come in.

        Raises:
            WireError: The endpoint is in use, malformed, or not of this machine.
        """
        if self._keys is not None and endpoint.startswith("tcp://"):
            self._limit = ConnectionLimit.at(endpoint)
        if self._limit is not None:
            port = self._limit.listener.getsockname()[1]
            endpoint = f"{endpoint.rpartition(':')[0]}:{port}"
            socket.set(zmq.USE_FD, self._limit.listener.detach())
        return bind(socket, endpoint, purpose)

    def close(self) -> None:
        """Look after the port no longer; before its socket is closed."""
        if self._limit is not None:
            self._limit.close()

    def look_after(self) -> None:
        """Look whether there is a flood of new connections; to be called each `LOOK_MS` at least."""
        if self._limit is not None:
            self._limit.step()

    def answer_requests(self, seconds: float) -> None:
        """Let in, or not, those who wait, for at most so many seconds."""
        if self.socket is None or self._keys is None:
            return
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                request = self.socket.recv_multipart(_NOBLOCK)
            except zmq.Again:
                return
            self.socket.send_multipart(self._keys.reply_to(request))


def open_publishing(
    context: "zmq.Context[Any]", keys: ServerKeys | None, endpoint: str
) -> "tuple[Admission, zmq.Socket[bytes]]":
    """Return the admission of a context, and a bound XPUB socket that bears strangers.

    Raises:
        WireError: The endpoint is in use, malformed, or not of this machine; the context is ended.
    """
    admission = Admission(context, keys)
    try:
        socket = context.socket(zmq.XPUB)
        socket.set(zmq.XPUB_VERBOSE, 1)
        socket.set(zmq.SNDHWM, _SEND_QUEUE_MESSAGES)
        socket.set(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        # Where ZeroMQ stops reading because much waits, a peer with heartbeats that is reset ends this process.
        socket.set(zmq.RCVHWM, 0)
        admission.guard(socket)
        admission.bind(socket, endpoint, "cannot publish on")
    except BaseException:  # whatever it is, no socket may stay behind
        context.destroy(linger=0)
        admission.close()
        raise
    return admission, socket
