"""Servers of sound for the tests: real programs on free loopback ports, and rude ones made of sockets."""

import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.ports import free_port as free_port

HERE = Path(__file__).parent


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """For what other processes do and no event of ours tells. What is dear to look at is looked at less often."""
    deadline = time.monotonic() + seconds
    spent = time.thread_time()
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        before, spent = spent, time.thread_time()
        time.sleep(min(max(0.02, 4 * (spent - before)), 0.2))


def is_running(pid: int) -> bool:
    """Whether a process is there and no corpse that nobody has looked after."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # the second where it ends while it is looked at
        return False
    return state != "Z"


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Program:
    """A server program that can be killed, frozen and started again with the same command."""

    def __init__(self, *command: str | Path, port: int | None = None, folder: Path | None = None) -> None:
        self._command = [str(part) for part in command]
        self._port = port
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if self._port is not None:
            port = self._port
            wait_until(lambda: answers(port), 60, f"{self._command[0]} listening on {port}")

    @property
    def has_crashed(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def end(self) -> None:
        """Let it end by itself."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def running(*programs: Program) -> Iterator[None]:
    try:
        for program in programs:
            program.start()
        yield
    finally:
        for program in reversed(programs):
            program.kill()


def program_path(name: str) -> str:
    path = shutil.which(name)
    assert path is not None, f"the tests need {name}: make install"
    return path


def encoder(*output: str | Path, frequency: int = 440) -> Program:
    """FFmpeg sending a tone at real time."""
    tone = f"sine=frequency={frequency}:sample_rate=48000"
    return Program(program_path("ffmpeg"), "-v", "quiet", "-re", "-f", "lavfi", "-i", tone, *output)


def rtsp_server(port: int, payloader: str, *options: str) -> Program:
    return Program("/usr/bin/python3", HERE / "rtsp_server.py", str(port), *options, payloader, port=port)


def icecast_server(folder: Path, port: int, burst_bytes: int = 65535) -> Program:
    for name in ("log", "web", "admin"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "log").chmod(0o777)
    folder.chmod(0o755)
    (folder / "icecast.xml").write_text(f"""<icecast>
  <limits><sources>2</sources><source-timeout>5</source-timeout><burst-size>{burst_bytes}</burst-size></limits>
  <authentication><source-password>source</source-password><admin-password>x</admin-password></authentication>
  <hostname>localhost</hostname>
  <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <paths><logdir>{folder}/log</logdir><webroot>{folder}/web</webroot><adminroot>{folder}/admin</adminroot></paths>
  <logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>1</loglevel></logging>
  <security><chroot>0</chroot><changeowner><user>nobody</user><group>nogroup</group></changeowner></security>
</icecast>""")
    return Program(program_path("icecast2"), "-c", folder / "icecast.xml", port=port)


@contextmanager
def broadcast_by_icecast(folder: Path, port: int, source: Program) -> Iterator[None]:
    """What a source sends is there for listeners, as `tone.mp3`.

    Icecast 2.4.4 crashes by itself now and then while its first connections come; then both are started again.
    """
    server = icecast_server(folder, port)
    for _ in range(5):
        with running(server, source):
            wait_until(lambda: server.has_crashed or serves(port, "/tone.mp3"), 60, "Icecast's sound")
            if not server.has_crashed:
                yield
                return
    raise AssertionError("Icecast crashed five times")


def serves(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def file_server(folder: Path, port: int) -> Program:
    return Program(sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", port=port, folder=folder)


class TcpServer:
    """Treats each connection as it is told to; for all that a decent server never does."""

    def __init__(self, treat: Callable[[socket.socket, int], None]) -> None:
        self._treat = treat
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.closing = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            number, self.connections = self.connections, self.connections + 1
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection:
            try:
                self._treat(connection, number)
            except OSError:
                return  # the client left

    def __enter__(self) -> "TcpServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        # A close alone does not wake a thread in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def pump(outer: socket.socket, inner: socket.socket, hear: Callable[[bytes], None]) -> None:
    """Pass on what two peers say until one of them leaves; `hear` gets what the outer one says."""

    def back() -> None:
        with suppress(OSError):
            while data := inner.recv(65536):
                outer.sendall(data)
        with suppress(OSError):
            outer.shutdown(socket.SHUT_RDWR)

    thread = threading.Thread(target=back, daemon=True)
    thread.start()
    with suppress(OSError):
        while data := outer.recv(65536):
            hear(data)
            inner.sendall(data)
    with suppress(OSError):
        inner.shutdown(socket.SHUT_RDWR)
    thread.join(60)
