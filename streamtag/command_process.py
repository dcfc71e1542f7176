"""Another `streamtag` command in a process of its own, which does not outlive whoever started it."""

import os
import select
import signal
import subprocess
import sys
import tempfile

from streamtag.program import Program, describe_status, last_line, python
from streamtag.threads import Worker

__all__ = ["CommandProcess", "end_with_parent"]


class CommandProcess:
    """Starts a command and ends it; if this process is killed first, the command ends by itself."""

    def __init__(
        self, *arguments: str, stop_seconds: float, shares_log: bool = False, own_session: bool = False
    ) -> None:
        """Prepare the command.

        Args:
            arguments: what follows `streamtag`.
            stop_seconds: how long it may take to end before it is killed.
            shares_log: let what it writes on standard error go where ours goes, instead of keeping it, and hear on its
                standard output that it is ready.
            own_session: as for `Program`.
        """
        self._command = python("-m", "streamtag", "--with-parent", *arguments)
        self._stop_seconds = stop_seconds
        self._shares_log = shares_log
        self._own_session = own_session

    def start(self) -> None:
        """Start the command."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - `end` closes it
        # The system closes our end of the pipe however we end: portable, and nobody has to look at process numbers.
        self._program = Program(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if self._shares_log else subprocess.DEVNULL,
            stderr=None if self._shares_log else self._errors,
            own_session=self._own_session,
            stop_seconds=self._stop_seconds,
        )

    def end(self) -> None:
        """End the command and wait until it is gone."""
        self._program.end()
        self._errors.close()

    def kill(self) -> None:
        """Kill the command, and wait until it is gone."""
        self._program.kill()
        self._program.wait()

    def send_signal(self, number: int) -> None:
        """Send the command a signal, unless it has ended."""
        self._program.send_signal(number)

    def is_ready(self) -> bool:
        """Tell whether the command, which shares our log, has written that it is ready, or has ended."""
        output = self._program.stdout
        return output is not None and bool(select.select([output], [], [], 0)[0])

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._program.pid

    def failure(self) -> str | None:
        """Return why the command ended: the last line that it wrote, or its status; None while it runs."""
        status = self._program.status
        if status is None:
            return None
        if self._shares_log:
            return describe_status(status)
        self._errors.seek(0)
        return last_line(self._errors.read()) or describe_status(status)


def end_with_parent() -> None:
    """End this process in good order as soon as its standard input ends: whoever held the other end is gone."""
    Worker("parent", _wait_for_parent, on_failure=lambda _: os.kill(os.getpid(), signal.SIGTERM)).start()


def _wait_for_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
