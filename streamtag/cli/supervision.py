"""The service in a process of its own, watched by one that is left when it crashes and begins it anew."""

import ctypes
import faulthandler
import logging
import os
import signal
import time
from contextlib import suppress
from types import FrameType
from typing import Final, NoReturn

__all__ = ["Watched", "watch"]

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 30.0
_SETTLED_SECONDS: Final = 60.0
"""Whoever ran for so long begins anew with the shortest pause."""
_LOOK_SECONDS: Final = 0.05
_PASSED_ON: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGABRT)
_ENDING: Final = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGABRT)
_SET_PARENT_DEATH_SIGNAL: Final = 1
"""PR_SET_PDEATHSIG of prctl(2)."""

logger = logging.getLogger(__name__)


class Watched:
    """The watched process, as it sees itself.

    Attributes:
        restarts: How often it crashed before.
    """

    def __init__(self, restarts: int, told: int) -> None:
        self.restarts = restarts
        self._told = told

    def ready(self) -> None:
        """Tell that all is started: from now on a crash is followed by a new start."""
        os.write(self._told, b"\0")
        os.close(self._told)


def watch() -> Watched:
    """Go on in a process of its own; return there, once for each process that crashed after it was ready.

    Here it never returns: signals are passed on, and this process ends as the other one does, whether by a status or by
    a signal. The other one does not outlive it. To be called while the process has one thread and little in memory.

    Where systemd watches this process itself (`Type=notify`) there is no other one: it would have to let any process of
    the service tell it things.
    """
    if os.environ.get("NOTIFY_SOCKET"):
        return Watched(0, os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC))
    parent = os.getpid()
    pause, restarts = _FIRST_PAUSE_SECONDS, 0
    watcher = _Watcher()
    while True:
        began = time.monotonic()
        ready, told = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)  # until each of the two knows what to do with them
        child = os.fork()
        if child == 0:
            os.close(ready)
            _become_child(parent, watcher)
            return Watched(restarts, told)
        os.close(told)
        status = watcher.wait(child)
        was_ready = os.read(ready, 1) == b"\0"
        os.close(ready)
        if not os.WIFSIGNALED(status) or watcher.is_ending or not was_ready:
            _end_like(status)
        if time.monotonic() - began > _SETTLED_SECONDS:
            pause = _FIRST_PAUSE_SECONDS
        name = signal.Signals(os.WTERMSIG(status)).name
        logger.error("the service crashed (%s) and is started again in %g s", name, pause)
        if watcher.is_ending_within(pause):
            _end_like(status)
        pause = min(_LONGEST_PAUSE_SECONDS, 2 * pause)
        restarts += 1


class _Watcher:
    """Passes signals on, and remembers whether one of them was to end it all."""

    def __init__(self) -> None:
        self.is_ending = False
        self._child = 0
        self._before = {number: signal.signal(number, self._pass_on) for number in _PASSED_ON}

    def wait(self, child: int) -> int:
        """Wait for the end of a process and return its status."""
        self._child = child
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
        if self.is_ending:
            os.kill(child, signal.SIGTERM)
        _, status = os.waitpid(child, 0)
        self._child = 0
        return status

    def is_ending_within(self, seconds: float) -> bool:
        """Wait, and tell whether it is to end."""
        deadline = time.monotonic() + seconds
        while not self.is_ending and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        return self.is_ending

    def restore(self) -> None:
        """Let signals do what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if faulthandler.is_enabled():  # whose own handlers are no objects that could be put back
            faulthandler.disable()
            faulthandler.enable()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self.is_ending = self.is_ending or number in _ENDING
        if self._child:
            with suppress(ProcessLookupError):  # it ended this moment
                os.kill(self._child, number)


def _become_child(parent: int, watcher: _Watcher) -> None:
    # However the watcher ends, its ports and files are free the next moment.
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    watcher.restore()


def _end_like(status: int) -> NoReturn:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(abs(code))  # nothing was begun here that would have to be ended
