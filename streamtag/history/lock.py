"""One history has one writer."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["HeldError", "Lock"]


class HeldError(Exception):
    """Another service keeps the history."""


class Lock:
    """Held from its making until `free`, or until the process ends, however it ends.

    The file beside the history stays: to remove it would let two services hold two locks. SQLite's own locks would not
    do, for they shut out readers or are free between two writes.
    """

    def __init__(self, history: Path) -> None:
        """Take the lock.

        Raises:
            HeldError: Another service holds it.
            OSError: The file cannot be made, or the file system has no locks.
        """
        real = history.resolve()  # one history has one lock by whichever name it is reached
        self._descriptor = os.open(real.with_name(f"{real.name}-lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip()
                whose = f"another service (process {holder or 'unknown'}) keeps it"
                raise HeldError(f"{whose}; give each a [history] path of its own") from None
            with suppress(OSError):  # a full disk: the number is only for people
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        except BaseException:
            os.close(self._descriptor)
            raise

    def free(self) -> None:
        """Let another service have the history; may be called again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
