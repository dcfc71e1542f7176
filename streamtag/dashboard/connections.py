"""The page's connections: how many there may be, and how long one may be open without asking anything."""

import errno
import logging
import resource
import socket
import time
from collections import Counter
from contextlib import suppress
from typing import Any, Final

from streamtag.dashboard.failures import network_of
from streamtag.dashboard.hosts import is_loopback

__all__ = ["Connection", "Connections", "Listener"]

_IN_ALL: Final = 1024
_BY_VISITOR: Final = 256
_IDLE_SECONDS: Final = 10.0
"""For the whole head of a request, a TLS handshake among it, and between two requests."""
_OTHER_FILES: Final = 256
"""Descriptors that the rest of the process may need."""
_WARN_SECONDS: Final = 60.0

logger = logging.getLogger(__name__)


class Connection(socket.socket):
    """An accepted connection; `visitor` says whose."""

    visitor = ""
    connections: "Connections | None" = None

    def close(self) -> None:
        """Close it, and count it no longer."""
        if self.connections is not None:
            self.connections.leave(self)
        super().close()


class Connections:
    """Counts connections. Where there are too many, the one that has been idle for longest makes room.

    A connection is idle until the head of a request is whole, and again once the request is answered. All of this runs
    in the event loop's thread.
    """

    def __init__(
        self, most: int | None = None, by_visitor: int = _BY_VISITOR, idle_seconds: float = _IDLE_SECONDS
    ) -> None:
        """Allow `most` connections, 1024 where the system lets this process have so many, none idle for longer."""
        self._most = _most_files() if most is None else most
        self._by_visitor = by_visitor
        self._idle_seconds = idle_seconds
        self._count = 0
        self._of: Counter[str] = Counter()
        self._open: dict[int, Connection] = {}
        self._idle: dict[str, dict[Connection, float]] = {}  # by visitor: since when, the oldest first
        self._warned = -_WARN_SECONDS

    def enter(self, connection: Connection, address: str) -> bool:
        """Count a new connection; False where there is no room for it."""
        visitor = network_of(address)
        # A server before this page, and everybody behind it, has the address of this machine.
        is_crowded = self._of[visitor] >= self._by_visitor and not is_loopback(visitor)
        if is_crowded and not self._make_room(visitor):
            return False
        if self._count >= self._most and not self.make_room():
            return False
        connection.visitor, connection.connections = visitor, self
        self._count += 1
        self._of[visitor] += 1
        self._open[connection.fileno()] = connection
        self.rest(connection)
        return True

    def leave(self, connection: Connection) -> None:
        """Count a connection no longer."""
        if connection.connections is None:
            return
        connection.connections = None
        self._open.pop(connection.fileno(), None)
        self.work(connection)
        self._count -= 1
        self._of[connection.visitor] -= 1
        if not self._of[connection.visitor]:
            del self._of[connection.visitor]

    def find(self, transport: Any) -> Connection | None:
        """Return the connection of an asyncio transport."""
        found = transport.get_extra_info("socket")
        return None if found is None else self._open.get(found.fileno())

    def work(self, connection: Connection) -> None:
        """Note that a request came: the connection is idle no longer."""
        idle = self._idle.get(connection.visitor, {})
        idle.pop(connection, None)
        if not idle:
            self._idle.pop(connection.visitor, None)

    def rest(self, connection: Connection) -> None:
        """Note that nothing is to be done for a connection."""
        if connection.connections is not None:
            self._idle.setdefault(connection.visitor, {}).setdefault(connection, time.monotonic())

    def make_room(self) -> bool:
        """End the oldest idle connection of whoever has most; False where none is idle."""
        return any(self._make_room(visitor) for visitor, _ in self._of.most_common())

    async def sweep(self) -> None:
        """End what has been idle for too long; to be called about once a second."""
        due = time.monotonic() - self._idle_seconds
        for idle in list(self._idle.values()):
            for connection in [connection for connection, since in idle.items() if since < due]:
                self._end(connection)

    def _make_room(self, visitor: str) -> bool:
        connection = next(iter(self._idle.get(visitor, ())), None)
        if connection is None:
            self._warn(visitor)
            return False
        self._end(connection)
        return True

    def _end(self, connection: Connection) -> None:
        self.leave(connection)  # whoever reads from it is told in a moment, and closes it
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    def _warn(self, visitor: str) -> None:
        now = time.monotonic()
        if now - self._warned >= _WARN_SECONDS:
            self._warned = now
            logger.warning("the page has no room for more connections of %s: all are in use", visitor)


class Listener(socket.socket):
    """A socket that lets in as many as there is room for."""

    connections: Connections

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection that is let in."""
        while True:
            try:
                accepted, address = super().accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE) and self.connections.make_room():
                    raise BlockingIOError from error  # it is asked again once there is room
                raise
            connection = Connection(fileno=accepted.detach())
            if self.connections.enter(connection, str(address[0])):
                return connection, address
            connection.close()


def _most_files() -> int:
    """Let this process open as many files as it may, and return how many of them may be connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _IN_ALL + _OTHER_FILES
    if soft < wanted:
        with suppress(OSError, ValueError):
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(16, min(_IN_ALL, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _OTHER_FILES))
