"""The process from which those are forked that decode; `forked.py` starts it.

    python -P -m streamtag.fork_server FD

It imports what they run, forks one at each order over the socket `FD`, tells how each ends, and ends with whoever
started it. They go on where it is killed. It has one thread and reads nothing of what they read: nothing that is
decoded reaches it.
"""

import ctypes
import errno
import gc
import importlib
import os
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress
from typing import Final, NoReturn

import msgspec

import streamtag.sources.decoder  # noqa: F401 - imports FFmpeg, which the others do as late as they can
from streamtag.forked import STATUS, Order, Start

_MOST_BYTES: Final = 1 << 20
_FILES: Final = 4
_SET_NAME: Final = 15
"""PR_SET_NAME of prctl(2)."""


class _Server:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._decode = msgspec.msgpack.Decoder(Order).decode
        self._telling: dict[int, int] = {}  # where to tell of each process that was started and has not ended
        self._woken, self._waking = os.pipe()
        os.set_blocking(self._waking, False)
        signal.set_wakeup_fd(self._waking)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> None:
        """Do as ordered until nobody orders any more."""
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        while True:
            for ready, _ in poll.poll():
                if ready == self._woken:
                    os.read(self._woken, _MOST_BYTES)
                    self._tell_ended()
                elif not self._obey():
                    return

    def _obey(self) -> bool:
        """Do as the next order says; return False where there is none, nor will be."""
        text, files, _, _ = socket.recv_fds(self._connection, _MOST_BYTES, _FILES)
        if not text:
            return False
        order = self._decode(text)
        if isinstance(order, Start):
            self._start(order, *files)
        elif order.pid in self._telling:  # and as long as it was not waited for, its number is its own
            os.kill(order.pid, signal.SIGKILL)
        return True

    def _start(self, order: Start, link: int, telling: int, errors: int, folder: int) -> None:
        importlib.import_module(order.module)
        gc.freeze()  # whoever looks through what was imported copies it
        try:
            pid = os.fork()
        except OSError as error:
            _tell(telling, -(error.errno or errno.EAGAIN))
            os.close(telling)
        else:
            if pid == 0:
                for file in (self._woken, self._waking, telling, *self._telling.values()):
                    os.close(file)
                self._connection.close()
                _run(order, link, errors, folder)
            _tell(telling, pid)
            self._telling[pid] = telling
        for file in (link, errors, folder):
            os.close(file)

    def _tell_ended(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                telling = self._telling.pop(ended[0])
                _tell(telling, os.waitstatus_to_exitcode(ended[1]))
                os.close(telling)


def _tell(telling: int, status: int) -> None:
    with suppress(BrokenPipeError):  # nobody wants to know
        os.write(telling, STATUS.pack(status))


def _run(order: Start, link: int, errors: int, folder: int) -> NoReturn:
    """Be the process that was ordered."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_SET_NAME, order.module.removeprefix("streamtag.").encode(), 0, 0, 0)
        os.dup2(errors, 2)
        os.fchdir(folder)
        for file in (errors, folder):
            os.close(file)
        for name, value in order.changed.items():
            if value is None:
                os.environb.pop(name, None)
            else:
                os.environb[name] = value
        sys.argv = [order.module, str(link)]
        sys.modules[order.module].main()
    except BaseException:  # whatever it is: here nobody else would tell of it, and nothing may go on as the server
        traceback.print_exc()
    os._exit(1)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        _Server(orders).run()
    os._exit(0)
