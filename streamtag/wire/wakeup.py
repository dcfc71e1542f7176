"""A flag that another thread raises and that a poller can wait for."""

import socket
from contextlib import suppress


class Wakeup:
    """Wakes a thread that waits in ``zmq.Poller.poll``, from any thread, which ZeroMQ's own sockets do not allow."""

    def __init__(self) -> None:
        self._waiting, self._waking = socket.socketpair()
        self._waiting.setblocking(False)
        self._waking.setblocking(False)

    def fileno(self) -> int:
        """Give the file descriptor that becomes readable when the flag is up."""
        return self._waiting.fileno()

    def set(self) -> None:
        """Raise the flag; nothing happens when it is up already, or closed."""
        with suppress(OSError):
            self._waking.send(b"\0")

    def clear(self) -> None:
        """Take the flag down."""
        with suppress(BlockingIOError):
            while self._waiting.recv(4096):
                pass

    def close(self) -> None:
        """Free the descriptors."""
        self._waiting.close()
        self._waking.close()
