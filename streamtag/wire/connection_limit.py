"""Holds the new connections to a port to so many a second, whoever they are from.

What a connection costs that is made and left again is the kernel's work for three quarters, and ZeroMQ does the rest in
the very thread that sends messages: by the time somebody is found to have no key it is spent. So there are two sockets
at the port, ZeroMQ's and one from which nobody takes connections, and a small program in the kernel chooses between
them (`SO_ATTACH_REUSEPORT_CBPF`; a filter at ZeroMQ's own socket would ask for the rights of an administrator). Under a
flood it chooses by chance, and whoever comes to the second is left out before it costs anything. Who is connected
notices nothing, and who is honest and new asks again.
"""

import ctypes
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Self

__all__ = ["ConnectionLimit"]

_MOST_A_SECOND: Final = 500.0
_STEP_SECONDS: Final = 0.25
_BACKLOG: Final = 100  # as ZeroMQ's
_COUNTING_SHARE: Final = 0.9
"""The kernel counts who is left out, and nobody else: of a suspected flood this much is let pass at first."""
_NEAR: Final = 0.2
"""Of what is let pass no less is changed than this part: each change is a program that the kernel compiles."""
_SO_ATTACH_REUSEPORT_CBPF, _SO_MEMINFO = 51, 55  # asm-generic/socket.h
_MEMINFO: Final = struct.Struct("9I")  # the last is who was left out
# linux/bpf_common.h and linux/filter.h: (code, steps if true, steps if false, operand)
_LOAD_WORD, _IF_AT_LEAST, _RETURN, _RANDOM = 0x20, 0x35, 0x06, 0xFFFFF000 + 56
_OURS, _NOBODYS = 0, 1  # in the order in which they began to listen
_ALL: Final = 0xFFFFFFFF


class ConnectionLimit:
    """A port at which two sockets listen; looked at some times a second by the thread that calls `step`.

    Attributes:
        listener: What is to take the connections; who takes it over detaches it.
        share: How much of those who ask for a connection it gets; 1 where there is no flood.
    """

    def __init__(
        self,
        host: str,
        port: int,
        most_a_second: float = _MOST_A_SECOND,
        *,
        step_seconds: float = _STEP_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to listen.

        Args:
            host: an address, in numbers.
            port: 0 for a free one.
            most_a_second: beyond so many new connections a second some are left out.
            step_seconds: how often it is looked at.
            clock: tells the time.

        Raises:
            OSError: the port is taken, or the system has nothing of this kind (it is not Linux, or a sandbox).
        """
        self.share = 1.0
        self._most = most_a_second
        self._step_seconds, self._clock = step_seconds, clock
        self._looked = self._due = clock()
        self._taken: int | None = None
        self._left_out = 0
        _listen(host, port).close()  # of two who share a port neither would be told that it is in use
        self.listener = _listen(host, port, shares=True)
        try:
            _choose(self.listener, 1.0)
            self.listener.listen(_BACKLOG)
            self._nobodys = _listen(host, self.listener.getsockname()[1], shares=True)
            self._nobodys.listen(0)
            self._nobodys.setblocking(False)
        except BaseException:
            self.listener.close()
            raise

    @classmethod
    def at(cls, endpoint: str) -> Self | None:
        """Begin to listen at an endpoint; None where that is not for this class, and ZeroMQ may try."""
        host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
        host = {"*": "0.0.0.0", "localhost": "127.0.0.1"}.get(host, host.strip("[]"))  # noqa: S104 - as asked for
        try:
            ip_address(host)
            return cls(host, 0 if port == "*" else int(port))
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        """Leave the port."""
        self.listener.close()
        self._nobodys.close()

    def step(self) -> None:
        """Look again, if it is time to; to be called once a second at least."""
        now = self._clock()
        if now < self._due:
            return
        self._due = now + self._step_seconds
        with suppress(OSError, ValueError):  # then all goes on as it is
            self._look(now)

    def _look(self, now: float) -> None:
        before, self._taken = self._taken, _connections_taken()
        seconds, self._looked = now - self._looked, now
        if before is None or seconds <= 0:
            return
        if self.share == 1.0 and self._taken - before <= self._most * seconds:
            return  # at all ports together so few
        left_out = _MEMINFO.unpack(self._nobodys.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))[-1]
        if self.share == 1.0:
            share = _COUNTING_SHARE
        else:
            asked = ((left_out - self._left_out) & _ALL) / seconds / (1.0 - self.share)
            share = min(self._most / asked, _COUNTING_SHARE) if asked > self._most else 1.0
        self._left_out = left_out
        if 1.0 in (share, self.share) or abs(share - self.share) > _NEAR * self.share:
            _choose(self._nobodys, share)
            self.share = share
        with suppress(BlockingIOError):  # the one that waits there, if any, is to ask anew
            self._nobodys.accept()[0].close()


def _listen(host: str, port: int, *, shares: bool = False) -> socket.socket:
    """Return a socket that is bound, as ZeroMQ binds its own."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shares:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind((host, port))
    except BaseException:
        made.close()
        raise
    return made


def _choose(member: socket.socket, share: float) -> None:
    """Give so much of those who ask for a connection to the first of the sockets of a port, by chance."""
    program = [
        (_LOAD_WORD, 0, 0, _RANDOM),
        (_IF_AT_LEAST, 0, 1, int(share * _ALL)),
        (_RETURN, 0, 0, _NOBODYS),
        (_RETURN, 0, 0, _OURS),
    ]
    program = program if share < 1.0 else program[-1:]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    member.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, struct.pack("HP", len(program), ctypes.addressof(code))
    )


def _connections_taken() -> int:
    """How many connections all listening sockets of this machine, or container, have taken so far."""
    lines = Path("/proc/net/snmp").read_text().splitlines()
    names, values = (line.split() for line in lines if line.startswith("Tcp:"))
    return int(values[names.index("PassiveOpens")])
