"""A node's service: `streamtag run` in a process of its own, looked after by what it publishes, and its lease."""

import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from streamtag.atomic_file import write_whole
from streamtag.backoff import Backoff
from streamtag.command_process import CommandProcess
from streamtag.fleet.lease import ASK_SECONDS, Tenure
from streamtag.keys import ClientKey
from streamtag.threads import Worker
from streamtag.wire import Subscriber

__all__ = ["NodeReport", "NodeService"]

_LOOK_SECONDS: Final = 0.5
_SILENT_SECONDS: Final = 12.0
"""A service tells of itself every 5 s; one that says nothing for so long is killed."""
_START_SECONDS: Final = 120.0
"""The first word may take so long: a model is loaded, and measured at the first start on a machine."""
_PAUSES: Final = Backoff(1.0, 30.0)
_END_SECONDS: Final = 5.0
_PREFIX: Final = "streamtag-node-"

logger = logging.getLogger(__name__)


class NodeReport(NamedTuple):
    """How a node's service fares.

    Attributes:
        endpoint: Where it publishes.
        term: The term of the node's lease.
        is_idle: Whether it scores nothing because its term is over.
        reason: Why it is not well; empty where it is.
        restarts: How often its process was started again.
        pid: Of the service's process, 0 where there is none.
    """

    endpoint: str
    term: int
    is_idle: bool
    reason: str
    restarts: int
    pid: int


class NodeService:
    """Keeps a service running with the streams that it is given, while its lease holds; any thread may call."""

    def __init__(
        self, host: str, key: ClientKey | None, holds: Callable[[int], bool], pauses: Backoff = _PAUSES
    ) -> None:
        """Begin to look after it; without streams nothing is started.

        Args:
            host: This machine's address, as whoever listens reaches it.
            key: With which the service is heard.
            holds: Asks whether a term still holds; raises what it likes where nobody answers.
            pauses: Before a service that ended is started again.
        """
        self._endpoint = f"tcp://{host}:{_free_port(host)}"
        self._key = key
        self._holds = holds
        _remove_abandoned()
        # For its owner alone: it holds secrets.
        self._folder = tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-")
        self._file = Path(self._folder.name) / "node.toml"
        self._lock = threading.Lock()
        self._tenure = Tenure()
        self._texts: tuple[str, str] | None = None  # with the streams, and without any
        self._is_idle = False
        self._reason = ""
        self._restarts = 0
        self._process: CommandProcess | None = None
        self._began = self._heard = 0.0
        self._pauses, self._pause = pauses, pauses.first
        self._start_at = 0.0
        self._ending = threading.Event()
        self._workers = [Worker("node", self._run), Worker("lease", self._ask)]
        for worker in self._workers:
            worker.start()

    def endpoint(self) -> str:
        """Return where the service publishes."""
        return self._endpoint

    def assign(self, text: str, idle: str, term: int) -> None:
        """Give the service a configuration, and the term in which it scores; what did not change is not touched.

        Args:
            text: The configuration.
            idle: The same without streams, for when the term is over.
            term: Of the node's lease.
        """
        with self._lock:
            if term < self._tenure.term:
                return
            if term > self._tenure.term or not self._is_idle:
                self._tenure.begin(term, time.monotonic())
                self._is_idle = False
            self._texts = text, idle
            self._write()

    def report(self) -> NodeReport:
        """Tell how it fares."""
        with self._lock:
            pid = 0 if self._process is None else self._process.pid
            return NodeReport(self._endpoint, self._tenure.term, self._is_idle, self._reason, self._restarts, pid)

    def stop(self) -> None:
        """End the service in good order."""
        self._ending.set()
        for worker in self._workers:
            worker.join(_END_SECONDS)
        if self._process is not None:
            self._process.end()
        self._folder.cleanup()

    def _run(self) -> None:
        with Subscriber(self._endpoint, kinds=["service"], key=self._key) as wire:
            while not self._ending.is_set():
                if wire.receive(_LOOK_SECONDS) is not None:
                    self._heard = time.monotonic()
                self._look()

    def _look(self) -> None:
        now = time.monotonic()
        with self._lock:
            if self._texts is None:
                return
            if not self._is_idle and not self._tenure.holds(now):
                self._is_idle = True
                logger.warning("the node's lease is over: it scores nothing until it is given streams anew")
                self._write()
            if self._process is None:
                if now >= self._start_at:
                    self._start(now)
            elif (failure := self._process.failure()) is not None:
                self._note_end(failure, now)
            elif now - max(self._heard, self._began) > (_SILENT_SECONDS if self._is_ready else _START_SECONDS):
                self._process.kill()
                self._note_end("it said nothing any more and was killed", now)
            elif self._is_ready:
                self._reason = ""

    @property
    def _is_ready(self) -> bool:
        return self._heard > self._began

    def _start(self, now: float) -> None:
        self._began = now
        # A session of its own: it is killed as a whole.
        command = ("--log-level", "warning", "run", str(self._file))
        self._process = CommandProcess(*command, stop_seconds=_END_SECONDS, own_session=True)
        self._process.start()

    def _note_end(self, reason: str, now: float) -> None:
        logger.warning("the node's service ended (%s) and is started again in %g s", reason, self._pause)
        if self._process is not None:
            self._process.end()
        self._process = None
        self._reason = reason
        self._restarts += 1
        self._pause = self._pauses.first if self._is_ready else self._pauses.after(self._pause)
        self._start_at = now + self._pause

    def _write(self) -> None:
        assert self._texts is not None
        text = self._texts[1 if self._is_idle else 0]
        if self._file.exists() and self._file.read_text() == text:
            return
        write_whole(self._file, text.encode(), mode=0o600, lasting=False)
        # Before it is ready the signal might end it; it looks at the file by itself too.
        if self._process is not None and self._is_ready:
            self._process.send_signal(signal.SIGHUP)

    def _ask(self) -> None:
        while not self._ending.wait(ASK_SECONDS):
            with self._lock:
                term = self._tenure.term
            if not term:
                continue
            asked = time.monotonic()
            try:
                is_held = self._holds(term)
            except Exception as error:  # whoever is asked may be away for any reason
                logger.info("nobody says whether the node's lease holds: %s", error)
                continue
            with self._lock:
                if is_held:
                    self._tenure.renew(term, asked)
                else:
                    self._tenure.end(term)


def _remove_abandoned() -> None:
    """Remove what others of this account left behind who were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(OSError):
            is_ours = folder.stat().st_uid == os.getuid() and not folder.is_symlink()
            if owner.isdecimal() and is_ours and not Path(f"/proc/{owner}").exists():
                shutil.rmtree(folder)


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
