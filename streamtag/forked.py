"""Processes forked from one that has imported already what they run: how they are started, watched and ended.

What decodes imports NumPy, FFmpeg and half of this package before it can begin: a quarter of a second of processor time
and some 25 MB, for each recording of a service and for each `tag`. `fork_server.py` imports all that once; whoever is
forked from it begins within milliseconds, and shares that memory.
"""

import atexit
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from streamtag.program import Program, python

__all__ = ["STATUS", "Forked", "Kill", "Order", "Start"]

STATUS: Final = struct.Struct("<q")
"""What is told of a process: first its number, or less than 0 the error for which there is none; at its end its exit
status, or less than 0 the signal that ended it."""
_START_SECONDS: Final = 60.0
_END_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 0.02
_UNKNOWN: Final = 255
"""The exit status of whoever ended when nobody was left to tell how."""
# Decoders do not need NumPy's threads, and whoever has threads cannot be forked.
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1"}


class Start(msgspec.Struct, frozen=True, tag=True):
    """Start a process; with it come its link, where to tell its status, its standard error and its folder.

    Attributes:
        module: whose `main` it runs.
        changed: what is otherwise in its environment than in the server's, None what is not there.
    """

    module: str
    changed: dict[bytes, bytes | None]


class Kill(msgspec.Struct, frozen=True, tag=True):
    """End a process at once, unless it has ended."""

    pid: int


Order = Start | Kill


class _Server:
    """The process from which the others are forked, and which ends with its `owner`, this one."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._environment = dict(os.environb)
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = python("-m", "streamtag.fork_server", str(theirs.fileno()))
            try:
                self._program = Program(command, files=[theirs.fileno()], environment=_ONE_THREAD, own_session=True)
            except OSError:
                self._connection.close()
                raise

    def send(self, order: Order, files: Sequence[int] = ()) -> None:
        socket.send_fds(self._connection, [msgspec.msgpack.encode(order)], files)

    def changed(self) -> dict[bytes, bytes | None]:
        """Return what changed in this process's environment since it started the server."""
        before, now = self._environment, dict(os.environb)
        changed = {name: value for name, value in now.items() if before.get(name) != value}
        return {**changed, **dict.fromkeys(before.keys() - now.keys())}

    def close(self) -> None:
        self._connection.close()
        self._program.wait(_END_SECONDS)


_server: _Server | None = None
_changing = threading.Lock()


def _server_instead_of(gone: _Server | None) -> _Server:
    """Return the server, another one where it is `gone`."""
    global _server
    with _changing:
        if _server is gone:
            if gone is not None:
                gone.close()
            _server = None  # where no other one can be started
            _server = _Server()
        assert _server is not None
        return _server


@atexit.register
def _close() -> None:
    if _server is not None and _server.owner == os.getpid():
        _server.close()


class Forked:
    """A process forked from one that had imported `module`; no interrupt at the terminal ends it.

    Attributes:
        pid: the process's number.
    """

    def __init__(self, module: str, link: int) -> None:
        """Start it.

        Args:
            module: of this package; its `main` is run.
            link: an open file that it gets, and whose number there is its argument.

        Raises:
            OSError: it cannot be started.
        """
        self._status: int | None = None
        self._is_alone = False  # its server is gone
        self._waiting = threading.Lock()
        self._told, telling = os.pipe()
        self._poll = select.poll()
        self._poll.register(self._told, select.POLLIN)
        try:
            try:
                self._server = _start(module, link, telling)
            finally:
                os.close(telling)
            self.pid = self._begun()
        except OSError:
            os.close(self._told)
            raise

    def _begun(self) -> int:
        if not self._poll.poll(_START_SECONDS * 1000):
            raise TimeoutError("no answer")
        told = os.read(self._told, STATUS.size)
        if not told:
            raise ChildProcessError("its server ended")
        (pid,) = STATUS.unpack(told)
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        return int(pid)

    @property
    def status(self) -> int | None:
        """Its exit status, less than 0 the signal that ended it; None while it runs."""
        return self.wait(0.0)

    def wait(self, seconds: float) -> int | None:
        """Wait for its end, for at most `seconds`; return its status, None where it goes on."""
        deadline = time.monotonic() + seconds
        with self._waiting:
            if self._status is None and not self._is_alone and self._poll.poll(seconds * 1000):
                told = os.read(self._told, STATUS.size)
                os.close(self._told)
                if told:
                    (self._status,) = STATUS.unpack(told)
                self._is_alone = not told
            while self._is_alone and self._status is None:
                if not _runs(self.pid):
                    self._status = _UNKNOWN
                elif time.monotonic() >= deadline:
                    break
                time.sleep(_LOOK_SECONDS)
        return self._status

    def kill(self) -> None:
        """End it at once, without waiting for that; may be called from any thread."""
        try:
            self._server.send(Kill(self.pid))
        except OSError:  # the server is gone, and nobody else's process has this number for as long as ours runs
            if self.status is None:
                with suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)


def _start(module: str, link: int, telling: int) -> _Server:
    """Order a process; return the server that has the order."""

    def order(server: _Server) -> _Server:
        server.send(Start(module, server.changed()), [link, telling, errors, folder])
        return server

    folder = os.open(".", os.O_PATH)
    try:
        with open(os.devnull, "wb") as nothing:
            errors = 2 if _is_open(2) else nothing.fileno()
            server = _server_instead_of(None)
            try:
                return order(server)
            except ConnectionError:  # it was killed
                return order(_server_instead_of(server))
    finally:
        os.close(folder)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def _is_open(file: int) -> bool:
    try:
        os.fstat(file)
    except OSError:
        return False
    return True
