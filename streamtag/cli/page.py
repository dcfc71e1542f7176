"""The web page beside a live command: in a process of its own, so that no viewer slows the engine."""

import socket
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from streamtag.command_process import CommandProcess
from streamtag.errors import StreamtagError

__all__ = ["HOST", "Page", "free_port", "is_free"]

HOST = "127.0.0.1"
_GOODBYE_SECONDS = 1.0


def is_free(port: int) -> bool:
    """Tell whether a program could listen at a TCP port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return a TCP port at which nobody listens now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Page:
    """Starts `streamtag dashboard` for an endpoint, and ends it; without the extra it only says so."""

    def __init__(
        self, endpoint: str, port: int, config: str | None = None, tls: tuple[Path, Path] | None = None
    ) -> None:
        """Prepare the page.

        Args:
            endpoint: the service to show.
            port: where to serve the page.
            config: the file with the service's settings, if there is one.
            tls: certificate and key to serve https with; http without.

        Raises:
            StreamtagError: the port is in use.
        """
        self._port = port
        command = ["--config", config] if config else []
        command += ["dashboard", "--connect", endpoint, "--host", HOST, "--port", str(port)]
        if tls is not None:
            command += ["--tls-cert", str(tls[0]), "--tls-key", str(tls[1])]
        self._scheme = "http" if tls is None else "https"
        installed = find_spec("gradio") is not None
        self._process = CommandProcess(*command, stop_seconds=_GOODBYE_SECONDS) if installed else None
        self._responds = False
        if installed and not is_free(port):
            raise StreamtagError(
                f"port {port} for the web page is in use: choose another with --port, or leave it out with "
                "--no-dashboard"
            )

    def __enter__(self) -> Self:
        if self._process is not None:
            self._process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.end()

    def __str__(self) -> str:
        """Where the page is, or why there is none."""
        if self._process is None:
            return "not installed: pip install 'streamtag[dashboard]'"
        if reason := self._process.failure():
            return f"it ended: {reason}"
        address = f"{self._scheme}://{HOST}:{self._port}"
        self._responds = self._responds or not is_free(self._port)
        return address if self._responds else f"{address} (starting)"
