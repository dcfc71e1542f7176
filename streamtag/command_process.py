"""Another `streamtag` command in a process of its own, which does not outlive whoever started it."""

import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from streamtag.threads import Worker

__all__ = ["CommandProcess", "end_with_parent", "python", "safe_path"]


def python(*arguments: str) -> list[str]:
    """Return the command that runs Python with these arguments, and nothing of the folder in which it is started."""
    return [sys.executable, "-P", *arguments]


@contextmanager
def safe_path() -> Iterator[None]:
    """Let what `multiprocessing` starts meanwhile import nothing of the folder in which it is started."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


class CommandProcess:
    """Starts a command and ends it; if this process is killed first, the command ends by itself."""

    def __init__(self, *arguments: str, stop_seconds: float, shares_log: bool = False) -> None:
        """Prepare the command.

        Args:
            arguments: what follows `streamtag`.
            stop_seconds: how long it may take to end before it is killed.
            shares_log: let what it writes on standard error go where ours goes, instead of keeping it, and hear on its
                standard output that it is ready.
        """
        self._command = python("-m", "streamtag", "--with-parent", *arguments)
        self._stop_seconds = stop_seconds
        self._shares_log = shares_log

    def start(self) -> None:
        """Start the command."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - `end` closes it
        # The system closes our end of the pipe however we end: portable, and nobody has to look at process numbers.
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if self._shares_log else subprocess.DEVNULL,
            stderr=None if self._shares_log else self._errors,
        )

    def end(self) -> None:
        """End the command and wait until it is gone."""
        self._process.terminate()
        try:
            self._process.wait(self._stop_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def is_ready(self) -> bool:
        """Tell whether the command, which shares our log, has written that it is ready, or has ended."""
        output = self._process.stdout
        return output is not None and bool(select.select([output], [], [], 0)[0])

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def last_words(self) -> str | None:
        """Return why the command ended: the last line that it wrote, or its status; None while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        if self._shares_log:
            return f"status {status}" if status >= 0 else f"killed by signal {-status}"
        self._errors.seek(0)
        lines = [line for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1].removeprefix("streamtag: ") if lines else "no reason given"


def end_with_parent() -> None:
    """End this process in good order as soon as its standard input ends: whoever held the other end is gone."""
    Worker("parent", _wait_for_parent, on_failure=lambda _: os.kill(os.getpid(), signal.SIGTERM)).start()


def _wait_for_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
