"""Keys on the wire: who may connect to a service's sockets (ZeroMQ's CURVE, files as `zmq.auth` writes them).

A folder holds the server's pair and, for each client, a public key that lets it in. A client's own file holds its pair
and the server's public key, so that it alone is all that a client needs.
"""

import logging
import os
import re
import stat
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import zmq
import zmq.auth
from zmq.utils import z85

from streamtag.errors import ConfigError

__all__ = ["ClientKey", "ServerKeys", "add_client", "check_name", "read_client_key", "server_file", "write_server"]

SERVER: Final = "server"
"""The name of the service itself: whoever has its folder may do what every client may."""
SECRET, PUBLIC = ".key_secret", ".key"
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}")
_KEY: Final = re.compile(rb"[0-9A-Za-z.:+=^!/*?&<>()\[\]{}@%$#-]{40}")  # Z85, ZeroMQ's RFC 32
_MAX_BYTES: Final = 4096
_DOMAIN: Final = b"streamtag"
_LOOK_SECONDS: Final = 1.0
_REQUEST_FRAMES: Final = 7

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClientKey:
    """What a client shows and whom it trusts: 40 characters of Z85 each."""

    public: bytes
    secret: bytes = field(repr=False)
    server: bytes

    def apply(self, socket: "zmq.Socket[Any]") -> None:
        """Let a socket encrypt, and connect to this server alone; before it connects."""
        socket.set(zmq.CURVE_PUBLICKEY, self.public)
        socket.set(zmq.CURVE_SECRETKEY, self.secret)
        socket.set(zmq.CURVE_SERVERKEY, self.server)


class ServerKeys:
    """A server's keys and whom they let in; a client's file that is added or taken away counts within a second.

    Each thread with sockets of its own asks it; it answers one after the other.
    """

    def __init__(self, folder: str | Path, look_seconds: float = _LOOK_SECONDS) -> None:
        """Read a folder that `write_server` made.

        Args:
            folder: the server's pair, and each client's public key.
            look_seconds: for how long what was read there counts.

        Raises:
            ConfigError: there is none, or a file in it holds no key.
        """
        self._folder, self._look_seconds = Path(folder), look_seconds
        path = server_file(self._folder)
        if not path.exists():
            raise ConfigError(f"{folder}: no server's key is there; make one: streamtag keys new {folder}")
        public, secret, _ = _read(path)
        if secret is None:
            raise ConfigError(f"{path}: holds no secret key; make others: streamtag keys new FOLDER")
        self.own = ClientKey(public, secret, public)
        self._clients: dict[bytes, str] = {}
        self._told: set[Path] = set()
        self._lock = threading.Lock()
        self._look()

    def guard(self, socket: "zmq.Socket[Any]") -> None:
        """Let a socket take in nobody but those with a key; before it binds."""
        socket.set(zmq.CURVE_SERVER, 1)
        socket.set(zmq.CURVE_SECRETKEY, self.own.secret)
        socket.set(zmq.ZAP_DOMAIN, _DOMAIN)

    def reply_to(self, request: list[bytes]) -> list[bytes]:
        """Answer a question of ZeroMQ's authentication protocol (ZAP 1.0, RFC 27): may this key come in, and who is it.

        The name that a key has here comes back with each message of its connection, as `User-Id`.
        """
        name = self._name(request)
        version, number = (request[0], request[1]) if len(request) > 1 else (b"1.0", b"")
        if name is None:
            return [version, number, b"400", b"this key is not known here", b"", b""]
        return [version, number, b"200", b"", name.encode(), b""]

    def _name(self, request: list[bytes]) -> str | None:
        if len(request) != _REQUEST_FRAMES or request[0] != b"1.0" or request[5] != b"CURVE":
            return None
        if len(request[6]) != 32:
            return None
        with self._lock:
            if time.monotonic() >= self._due:
                self._look()
            return self._clients.get(z85.encode(request[6]))

    def _look(self) -> None:
        """Read whom the folder lets in; whatever cannot be read is an error the first time, and told of later on."""
        is_first, self._due = not self._clients, time.monotonic() + self._look_seconds
        clients = {self.own.public: SERVER}
        for file in sorted(self._folder.glob(f"*{PUBLIC}")):
            if file.stem == SERVER or not _NAME.fullmatch(file.stem):
                continue
            try:
                clients[_read(file)[0]] = file.stem
            except ConfigError as error:
                if is_first:
                    raise
                if file not in self._told:
                    self._told.add(file)
                    logger.warning("this key lets nobody in: %s", error)
        self._clients = clients


def read_client_key(path: str | Path) -> ClientKey:
    """Read a client's file.

    Raises:
        ConfigError: it cannot be read, or is not a client's.
    """
    path = Path(path)
    public, secret, server = _read(path)
    if secret is None:
        raise ConfigError(f"{path}: holds no secret key; a client's file ends in {SECRET}")
    if server is None:
        if path.name != server_file(path.parent).name:
            raise ConfigError(f"{path}: does not name its server's key; make another: streamtag keys new FOLDER")
        server = public
    return ClientKey(public, secret, server)


def server_file(folder: Path) -> Path:
    """Return where a folder has its server's pair."""
    return folder / f"{SERVER}{SECRET}"


def check_name(name: str) -> None:
    """Let pass what can name a client.

    Raises:
        ConfigError: it cannot.
    """
    if not _NAME.fullmatch(name) or name == SERVER:
        raise ConfigError(
            f"{name!r} cannot name a client: use 1 to 64 letters, digits, hyphens, underscores or dots, not {SERVER!r}"
        )


def write_server(folder: Path) -> Path:
    """Write a new server's pair into a folder, which is made where it is missing; return the secret file.

    Raises:
        ConfigError: one is there already.
        OSError: it cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _write(folder, SERVER, None)


def add_client(folder: Path, name: str) -> Path:
    """Write a new client's pair into a server's folder; return the file for the client.

    Raises:
        ConfigError: the name is taken or cannot be one, or the folder is not a server's.
        OSError: it cannot be written.
    """
    check_name(name)
    return _write(folder, name, _read(server_file(folder))[0])


def _write(folder: Path, name: str, server: bytes | None) -> Path:
    """Write a pair: first aside, for its owner alone, then into its place, which must be free."""
    files = [folder / f"{name}{SECRET}", folder / f"{name}{PUBLIC}"]
    for file in files:
        if file.exists():
            raise ConfigError(f"{file}: is there already, and no key is overwritten")
    with tempfile.TemporaryDirectory(prefix=".", dir=folder) as aside:
        metadata = None if server is None else {SERVER: f'"{server.decode()}"'}
        zmq.auth.create_certificates(aside, name, metadata)
        for file in files:
            draft = Path(aside) / file.name
            draft.chmod(0o600)
            os.link(draft, file)  # never over another file
    return files[0]


def _read(path: Path) -> tuple[bytes, bytes | None, bytes | None]:
    """Return a file's public key, and where it has them its secret one and its server's.

    Raises:
        ConfigError: it cannot be read, or holds no key.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES)
            mode = os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    found = {}
    for line in text.splitlines():
        key, is_set, value = line.partition(b"=")
        if is_set and not line.lstrip().startswith(b"#"):
            found[key.strip()] = value.strip(b" \t'\"")
    keys = [found.get(name) for name in (b"public-key", b"secret-key", SERVER.encode())]
    if keys[0] is None or not all(key is None or _KEY.fullmatch(key) for key in keys):
        raise ConfigError(f"{path}: is not a key's file; streamtag keys new FOLDER makes them")
    if keys[1] is not None and stat.S_IMODE(mode) & 0o077:
        logger.warning("%s: others on this machine can read this secret key: chmod 600 %s", path, path)
    return keys[0], keys[1], keys[2]
