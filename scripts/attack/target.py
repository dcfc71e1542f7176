"""A service with keys and a page with a login, as they are attacked."""

import socket
import sys
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Self

import httpx
import psutil

from streamtag.keys import add_client, write_server
from streamtag.program import Program

__all__ = ["PASSWORD", "USER", "Running", "Target"]

USER, PASSWORD = "anna", "correct horse battery staple"
_START_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Target:
    """What an attacker knows of it; plain values, to be handed to other processes."""

    endpoint: str
    input: str
    page: int
    """Port of the page, on 127.0.0.1."""
    honest_key: str
    mallory_key: str
    """Secret key files: of whoever listens and pushes, and of somebody who has a key too and means ill."""
    streams: tuple[str, ...]

    @property
    def ports(self) -> tuple[int, int]:
        """The service's two ports."""
        return int(self.endpoint.rpartition(":")[2]), int(self.input.rpartition(":")[2])

    def client(self, source: str) -> httpx.Client:
        """Return somebody who asks the page from an address of 127.0.0.0/8."""
        transport = httpx.HTTPTransport(local_address=source)
        return httpx.Client(base_url=f"http://127.0.0.1:{self.page}", transport=transport, timeout=60)

    def cookie(self, source: str) -> str:
        """Log in and return the cookie's header."""
        with self.client(source) as client:
            client.post("/login", data={"user": USER, "password": PASSWORD})
            return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


class Running:
    """The two commands; ends them with the `with` block."""

    def __init__(self, folder: Path, streams: int) -> None:
        """Write configuration, keys and password into a folder."""
        self._folder = folder
        write_server(folder / "keys")
        out, input_, page = _free_port(), _free_port(), _free_port()
        names = tuple(f"stream-{number}" for number in range(streams))
        recording = Path(str(resources.files("streamtag"))) / "bundles" / "default" / "demo.flac"
        lines = [
            f'[service]\nendpoint = "tcp://127.0.0.1:{out}"\ninput = "tcp://127.0.0.1:{input_}"\nkeys = "keys"',
            '[model]\nbundle = "fast"\nruntime = "onnxruntime"\n[history]\npath = "history.sqlite"\nclips = true',
            *(
                f'[[stream]]\nid = "{each}"\nsource = "file:{recording}"\nrealtime = true\nloop = true'
                for each in names
            ),
        ]
        (folder / "service.toml").write_text("\n".join(lines) + "\n")
        (folder / "password").write_text(PASSWORD + "\n")
        honest, mallory = (str(add_client(folder / "keys", name)) for name in ("honest", "mallory"))
        self.target = Target(f"tcp://127.0.0.1:{out}", f"tcp://127.0.0.1:{input_}", page, honest, mallory, names)

    def __enter__(self) -> Self:
        self._service = self._start("run", "service.toml")
        auth = ("--auth", f"{USER}:password", "--port", str(self.target.page))
        self._page = self._start("--config", "service.toml", "dashboard", *auth)
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_up():
            if time.monotonic() > deadline or self._service.status is not None or self._page.status is not None:
                self.__exit__()
                raise SystemExit(f"the service or the page did not start:\n{self.log()}")
            time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self._page, self._service):
            process.end()

    def megabytes(self) -> tuple[float, float]:
        """Return the memory of the service and of the page, with all of their processes."""
        return _megabytes(self._service.pid), _megabytes(self._page.pid)

    def log(self) -> str:
        """Return what both have written."""
        return (self._folder / "log").read_text(errors="replace")

    def _start(self, *arguments: str) -> Program:
        command = [sys.executable, "-m", "streamtag", *arguments]
        with (self._folder / "log").open("ab") as log:
            root = str(Path(__file__).parents[2])
            environment = {"TMPDIR": str(self._folder), "PYTHONPATH": root}
            return Program(
                command, folder=self._folder, stdout=log, stderr=log, environment=environment, stop_seconds=30.0
            )

    def _is_up(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.target.page), 1).close()
        except OSError:
            return False
        return "publishing on" in self.log()


def _megabytes(pid: int) -> float:
    total = 0
    process = psutil.Process(pid)
    for each in (process, *process.children(recursive=True)):
        try:
            total += each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / (1 << 20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
