"""Notices that a cluster's head is gone, on which whoever asks Ray would wait for a minute and then be aborted."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from streamtag.threads import Worker

__all__ = ["HeadWatch"]

_LOOK_SECONDS: Final = 1.0
_REACH_SECONDS: Final = 2.0
_GONE_SECONDS: Final = 10.0


class HeadWatch:
    """Looks every second whether the head takes connections; tells once when it has not for 10 s."""

    def __init__(self, address: str, gone: Callable[[], None], timeout_seconds: float = _GONE_SECONDS) -> None:
        """Begin to look.

        Args:
            address: HOST:PORT of the head.
            gone: Told, in a thread of its own, that it is gone.
            timeout_seconds: For how long it may take none.
        """
        host, _, port = address.rpartition(":")
        self._address = host.strip("[]"), int(port)
        self._gone = gone
        self._timeout_seconds = timeout_seconds
        self._ending = threading.Event()
        self._worker = Worker("head", self._run).start()

    def stop(self) -> None:
        """Look no more."""
        self._ending.set()
        self._worker.join(_REACH_SECONDS)

    def _run(self) -> None:
        reached = time.monotonic()
        while not self._ending.wait(_LOOK_SECONDS):
            try:
                socket.create_connection(self._address, _REACH_SECONDS).close()
                reached = time.monotonic()
            except OSError:
                if time.monotonic() - reached > self._timeout_seconds:
                    self._gone()
                    return
