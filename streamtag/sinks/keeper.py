"""The sinks' process, beside a service."""

import logging
import threading
import time
from typing import Final

from streamtag.backoff import Backoff
from streamtag.command_process import CommandProcess
from streamtag.threads import Worker

__all__ = ["Keeper"]

_STOP_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.25
_PAUSES: Final = Backoff(1.0, 30.0)
_SETTLED_SECONDS: Final = 60.0

logger = logging.getLogger(__name__)


class Keeper:
    """Keeps `streamtag relay` running in a process of its own: one that died is started again, after a pause.

    Attributes:
        restarts: How often that happened.
    """

    def __init__(self, path: str, endpoint: str, log_level: str) -> None:
        """Prepare it.

        Args:
            path: The configuration's file.
            endpoint: Where the service publishes.
            log_level: Of the process, whose log is this one's.
        """
        self.restarts = 0
        self._arguments = ("--log-level", log_level, "relay", path, "--connect", endpoint)
        self._ending = threading.Event()
        self._ready = threading.Event()
        self._process: CommandProcess | None = None
        self._worker = Worker("sinks", self._run)

    @property
    def pid(self) -> int | None:
        """The process's number, None where none runs."""
        process = self._process
        return None if process is None else process.pid

    def start(self) -> "Keeper":
        """Start the process and return itself."""
        self._worker.start()
        return self

    def wait_ready(self, seconds: float) -> bool:
        """Wait until the process hears the service, for at most `seconds`; tell whether it does."""
        return self._ready.wait(seconds)

    def stop(self) -> None:
        """End the process, which first tells of what it has heard."""
        self._ending.set()
        self._worker.join(_STOP_SECONDS + 1.0)

    def _run(self) -> None:
        pause = _PAUSES.first
        while not self._ending.is_set():
            began = time.monotonic()
            process = CommandProcess(*self._arguments, stop_seconds=_STOP_SECONDS, shares_log=True)
            process.start()
            self._process = process
            try:
                while process.failure() is None and not self._ending.wait(_LOOK_SECONDS):
                    if process.is_ready():
                        self._ready.set()
                reason = process.failure()
            finally:
                self._process = None
                process.end()
            if self._ending.is_set():
                return
            if time.monotonic() - began > _SETTLED_SECONDS:
                pause = _PAUSES.first
            # Exit status 0: somebody ended it, as a service manager does that ends all at once.
            level = logging.INFO if reason == "exit status 0" else logging.ERROR
            logger.log(level, "the sinks' process ended (%s) and is started again in %g s", reason, pause)
            self._ending.wait(pause)
            pause = _PAUSES.after(pause)
            self.restarts += 1
