"""The program as a person runs it: in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

LIMIT_SECONDS = 100
"""Whoever is waited for so long hangs: a command starts in a second, or in a minute beside a dozen others."""


def run(
    *arguments: object,
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
    stdin: IO[bytes] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        _command(arguments),
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        env={**os.environ, **(environment or {})},
        cwd=folder,
    )


def error_of(*arguments: object, status: int, environment: dict[str, str] | None = None) -> str:
    """Run a command that must fail with this status and one line on standard error, and return the line."""
    done = run(*arguments, environment=environment)
    assert done.returncode == status, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("streamtag: ")
    return line.removeprefix("streamtag: ")


class Running:
    """A command that goes on until it is told to end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.output: Queue[str | None] = Queue()  # None is the end
        self.errors: Queue[str | None] = Queue()
        self._passed_over: list[str] = []
        self._readers: list[threading.Thread] = []
        for stream, lines in ((process.stdout, self.output), (process.stderr, self.errors)):
            assert stream is not None
            self._readers.append(threading.Thread(target=_pass_on, args=(stream, lines), daemon=True))
            self._readers[-1].start()

    def wait_message(self, **wanted: object) -> dict[str, Any]:
        """Read JSON lines until one has these fields."""
        while True:
            message: dict[str, Any] = json.loads(self._next(self.output))
            if wanted.items() <= message.items():
                return message

    def wait_error(self, part: str) -> str:
        """Return the first line on standard error with this part that was not returned before.

        Threads write there, so that the order of lines is chance: what came before it is kept for later questions.
        """
        for line in self._passed_over:
            if part in line:
                self._passed_over.remove(line)
                return line
        while part not in (line := self._next(self.errors)):
            self._passed_over.append(line)
        return line

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(LIMIT_SECONDS)

    def rest_of_errors(self) -> list[str]:
        """Return what it said on standard error and was not returned yet; it has ended."""
        self.read_to_the_end()
        return [*self._passed_over, *(line for line in self.errors.queue if line is not None)]

    def read_to_the_end(self) -> None:
        """Wait until all that it said is read; it has ended. Before that nobody may close what it said it through."""
        for reader in self._readers:
            reader.join(LIMIT_SECONDS)

    def _next(self, lines: Queue[str | None]) -> str:
        try:
            line = lines.get(timeout=LIMIT_SECONDS)
        except Empty:
            self.process.send_signal(signal.SIGABRT)  # then it says where it hangs
            line = None
        if line is None:
            how = self.process.wait(LIMIT_SECONDS)
            raise AssertionError(f"it ended with {how}, and said {self.rest_of_errors()}")
        return line


@contextmanager
def running(
    *arguments: object, environment: dict[str, str] | None = None, through: str | None = None
) -> Iterator[Running]:
    """Start a command, and end it with the block if it still runs.

    Args:
        arguments: what follows the program's name.
        environment: variables beside those of the tests.
        through: a line of a shell that starts it, as "$@".
    """
    shell = [] if through is None else ["bash", "-c", through, "bash"]
    process = subprocess.Popen(
        [*shell, *_command(arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONFAULTHANDLER": "1", **(environment or {})},
    )
    with process:
        started = Running(process)
        try:
            yield started
        finally:
            process.kill()
            started.read_to_the_end()


def _command(arguments: tuple[object, ...]) -> list[str]:
    return [sys.executable, "-m", "streamtag", *map(str, arguments)]


def _pass_on(stream: Any, lines: Queue[str | None]) -> None:
    for line in stream:
        lines.put(line.rstrip("\n"))
    lines.put(None)
