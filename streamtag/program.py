"""Other programs, run to their end or beside this one: how one is started, limited and ended, and why it failed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple

__all__ = [
    "Finished",
    "Program",
    "ProgramError",
    "describe_status",
    "finish",
    "last_line",
    "output_of",
    "python",
    "safe_path",
]

Command = Sequence[str | Path]


class ProgramError(Exception):
    """A program failed; the text is one line that says how.

    Attributes:
        is_missing: whether it is not there at all.
    """

    def __init__(self, reason: str, *, is_missing: bool = False) -> None:
        super().__init__(reason)
        self.is_missing = is_missing


class Finished(NamedTuple):
    """What a program left that ran to its end.

    Attributes:
        status: its exit status, or less than 0 the signal that ended it.
        output: what it wrote on standard output.
        errors: what it wrote on standard error.
    """

    status: int
    output: bytes
    errors: bytes


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


def finish(command: Command, seconds: float | None = None, *, merged: bool = False) -> Finished:
    """Run a program to its end; it reads nothing.

    Args:
        command: the program and its arguments.
        seconds: after which it is killed; never when absent.
        merged: have what it writes on standard error stand in its output, in the order in which it is written.

    Raises:
        ProgramError: it cannot be started, or took too long.
    """
    errors = subprocess.STDOUT if merged else subprocess.PIPE
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise ProgramError(f"no answer in {seconds:g} s") from None
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        raise ProgramError(f"{command[0]} cannot be started: {error.strerror}", is_missing=is_missing) from None
    return Finished(done.returncode, done.stdout, done.stderr or b"")


def output_of(command: Command, seconds: float | None = None) -> bytes:
    """Run a program to its end and return what it wrote on standard output.

    Args:
        command: the program and its arguments.
        seconds: after which it is killed; never when absent.

    Raises:
        ProgramError: it cannot be started, took too long, or failed: then the text is the last line that it wrote on
            standard error, or its status.
    """
    done = finish(command, seconds)
    if done.status:
        raise ProgramError(last_line(done.errors) or f"it ended with {describe_status(done.status)}")
    return done.output


def last_line(errors: bytes) -> str:
    """Return the last line of what a program wrote that holds anything, which is where it says why it failed."""
    lines = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].removeprefix("streamtag: ") if lines else ""


def describe_status(status: int) -> str:
    """Return how a program ended: its exit status, or the name of the signal that ended it."""
    if status >= 0:
        return f"exit status {status}"
    with suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"


class Program:
    """A program that runs beside this one, until it ends or is ended; at the end of a `with`, it is.

    Attributes:
        pid: the process's number.
        stdin: what it reads, where it is to read from us.
        stdout: what it writes, where we are to read that.
    """

    def __init__(
        self,
        command: Command,
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int | IO[Any] = subprocess.DEVNULL,
        stderr: int | IO[Any] | None = None,
        files: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        own_session: bool = False,
        stop_seconds: float | None = None,
    ) -> None:
        """Start it.

        Args:
            command: the program and its arguments.
            stdin: nothing, or `subprocess.PIPE`.
            stdout: where its output goes: nowhere, to a file, or to us by `subprocess.PIPE`.
            stderr: where its errors go; to our own where none is named.
            files: open files that it gets too.
            environment: what is added to this process's own.
            folder: in which it runs; this process's own when absent.
            own_session: let no interrupt at our terminal end it; and killing it kills all that it started.
            stop_seconds: how long it may take to end in good order before it is killed; for ever when absent.

        Raises:
            OSError: it cannot be started.
        """
        self._own_session = own_session
        self._stop_seconds = stop_seconds
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=files,
            env=None if environment is None else {**os.environ, **environment},
            cwd=folder,
            start_new_session=own_session,
        )
        self.pid = self._process.pid
        self.stdin = self._process.stdin
        self.stdout = self._process.stdout

    def __enter__(self) -> "Program":
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.end()

    @property
    def status(self) -> int | None:
        """Its exit status, less than 0 the signal that ended it; None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait for its end, for at most `seconds`; return its status, None where it goes on."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, without waiting for that; may be called from any thread."""
        if not self._own_session:
            self._process.kill()
        elif self.status is None:
            self._kill_session()

    def end(self) -> None:
        """Ask it to end, kill it where it takes too long, and wait until it is gone."""
        self._process.terminate()
        if self.wait(self._stop_seconds) is None:
            self.kill()
            self._process.wait()
        elif self._own_session:
            self._kill_session()  # what it may have left behind
        for pipe in (self.stdin, self.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _kill_session(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
