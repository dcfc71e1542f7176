"""A module of this package in a process of its own that may die: what decodes foreign media runs in such a one.

Orders go there and words come back, each a struct of msgspec with raw bytes behind it. A decoder that was taken over
can say nothing but such words: nothing that it sends is run.
"""

import logging
import resource
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import UnionType
from typing import Any

import msgspec

from streamtag.forked import Forked
from streamtag.program import Program, describe_status
from streamtag.redaction import ScrubbingFormatter

__all__ = ["Link", "LinkError", "Process", "SilentError", "limit_memory", "link_from_arguments"]

_SIZES = struct.Struct("<II")
_MOST_WORD_BYTES = 1 << 22
_MOST_PAYLOAD_BYTES = 1 << 28
_GOODBYE_SECONDS = 2.0


class LinkError(Exception):
    """What came is not what is spoken here: the other end is damaged, or not itself any more."""


class SilentError(Exception):
    """Nothing came for too long."""


class Link:
    """One end of a connection between two processes; anybody may send, one thread receives."""

    def __init__(self, connection: socket.socket, words: type[Any] | UnionType) -> None:
        """Speak over a connected socket.

        Args:
            connection: closed by `close`.
            words: the structs that may come, as msgspec tells them apart.
        """
        self._connection = connection
        self._decode = msgspec.msgpack.Decoder(words).decode
        self._encode = msgspec.msgpack.Encoder().encode
        self._sending = threading.Lock()
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._read_parts: list[bytearray] = []  # of the word that comes, each as long as it is to be
        self._filled = 0  # of the last of them

    def send(self, word: msgspec.Struct, payload: Any = b"") -> None:
        """Send a word and the bytes of `payload`, which is any contiguous buffer.

        Raises:
            OSError: nobody is there to read it.
        """
        text = self._encode(word)
        content = memoryview(payload).cast("B") if len(payload) else b""
        with self._sending:
            self._connection.sendall(_SIZES.pack(len(text), len(content)) + text)
            if content:
                self._connection.sendall(content)

    def receive(self, seconds: float | None = None) -> tuple[Any, bytearray]:
        """Wait for the next word, and return it with the bytes that belong to it.

        Args:
            seconds: for how long nothing may come, in the middle of a word too; for ever when absent.

        Raises:
            SilentError: nothing came for so long; the next call goes on where this one stopped.
            EOFError: the other end is gone.
            LinkError: what came is no word.
        """
        word_bytes, payload_bytes = _SIZES.unpack(self._part(0, _SIZES.size, seconds))
        if word_bytes > _MOST_WORD_BYTES or payload_bytes > _MOST_PAYLOAD_BYTES:
            raise LinkError("it is too long")
        try:
            word = self._decode(self._part(1, word_bytes, seconds))
        except msgspec.MsgspecError as error:
            raise LinkError(str(error)) from error
        payload = self._part(2, payload_bytes, seconds)
        self._read_parts.clear()
        return word, payload

    def close(self) -> None:
        """Close this end; whoever waits at either end hears of it."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _part(self, number: int, size: int, seconds: float | None) -> bytearray:
        """Return a part of the word that comes, which may be there already."""
        if number == len(self._read_parts):
            self._read_parts.append(bytearray(size))
            self._filled = 0
        part = self._read_parts[number]
        if number < len(self._read_parts) - 1:
            return part
        view = memoryview(part)
        while self._filled < size:
            try:
                count = self._connection.recv_into(view[self._filled :], 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                if not self._poll.poll(None if seconds is None else seconds * 1000):
                    raise SilentError from None
                continue
            except OSError:
                count = 0
            if not count:
                raise EOFError
            self._filled += count
        return part


class Process:
    """A process that runs a module of this package, which speaks over `link_from_arguments`."""

    def __init__(
        self,
        module: str,
        words: type[Any] | UnionType,
        start: Callable[[str, int], Program | Forked] = Forked,
    ) -> None:
        """Start the process.

        Args:
            module: what it runs.
            words: what it may say.
            start: starts it, with the number of its end of the link as its first argument.

        Raises:
            OSError: no process can be started.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._program = start(module, theirs.fileno())
            except OSError:
                ours.close()
                raise
        self.link = Link(ours, words)
        self.started = time.monotonic()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._program.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._program.status is not None

    def kill(self) -> None:
        """End the process at once; may be called from any thread."""
        self._program.kill()

    def end(self) -> str:
        """Say how the process ended, or end it if it goes on; only for the thread that receives from it."""
        # One whose end of the link is closed is about to be gone, by a cause of its own.
        self._program.wait(_GOODBYE_SECONDS)
        self._program.kill()
        self.link.close()
        status = self._program.wait(_GOODBYE_SECONDS)
        # Otherwise it hangs in the system, such as in a file server that is gone.
        return "hangs" if status is None else describe_status(status)


def link_from_arguments(orders: type[Any] | UnionType) -> Link:
    """Begin as a worker: return the link to whoever started this process."""
    log = logging.StreamHandler(sys.stderr)
    log.setFormatter(ScrubbingFormatter("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level="WARNING", handlers=[log])
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a file that crashes its decoder must not fill the disk
    return Link(socket.socket(fileno=int(sys.argv[1])), orders)


def limit_memory(more_bytes: int) -> None:
    """Let this process take so much more memory than it has now, and no more."""
    with suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[5])
        limit = pages * resource.getpagesize() + more_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
