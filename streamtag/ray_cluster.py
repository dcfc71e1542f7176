"""A connection to a Ray cluster: one that exists, or one of our own on this machine, which nobody else can reach.

Which cluster, and the token that it asks for, are told by Ray's own settings: `RAY_ADDRESS`, `RAY_AUTH_MODE`,
`RAY_AUTH_TOKEN_PATH`, `RAY_AUTH_TOKEN`.
"""

import os
import re
import secrets
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from streamtag.errors import ConfigError, StreamtagError
from streamtag.temporary import private_folder

__all__ = ["ADDRESS_FORM", "Cluster", "is_ray_address", "ray_cluster"]

ADDRESS_FORM: Final = '"local", "auto" or HOST:PORT'
"""What an address may be, for messages."""

_NAMESPACE: Final = "streamtag"
_OBJECT_STORE_BYTES: Final = 128 << 20
_REACH_SECONDS: Final = 5.0
_LOOPBACK: Final = re.compile(r"(127\.[\d.]+|localhost|\[?::1\]?):\d+\Z")
_ADDRESS: Final = re.compile(r"(?P<host>[\w.-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})\Z")
_ALL_ON_LOOPBACK: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Without it Ray takes the machine's own address wherever it is told 127.0.0.1 (`resolve_ip_for_localhost`)."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster to which this process is connected."""

    address: str
    """HOST:PORT, by which other processes connect."""
    token_path: Path | None
    """Where the token of a cluster of our own is, for `RAY_AUTH_TOKEN_PATH`; None for any other."""


def is_ray_address(text: str) -> bool:
    """Whether a text is `local`, `auto` or HOST:PORT."""
    return text in ("local", "auto") or _ADDRESS.match(text) is not None


@contextmanager
def ray_cluster(address: str, *, cpus: int | None = None) -> Iterator[Cluster]:
    """Be connected to a cluster; once in a process, for Ray reads its settings when it is imported.

    Args:
        address: "local" starts a cluster on this machine that listens on the loopback alone, asks for a token that
            only this account can read, and ends with this process. "auto" is what `RAY_ADDRESS` names, or what runs on
            this machine. Anything else is the HOST:PORT of a cluster's head.
        cpus: how many cores a cluster of our own has; as many as this process may use when absent.

    Raises:
        ConfigError: it is no such address.
        StreamtagError: Ray is not installed, or the cluster cannot be reached or started.
    """
    if not is_ray_address(address):
        raise ConfigError(f"--ray may be {ADDRESS_FORM}, the address of a cluster's head node")
    if find_spec("ray") is None:
        raise StreamtagError("--ray needs the extra 'ray': pip install 'streamtag[ray]'")
    if address != "local":
        with _connected(address, _existing(address)) as found:
            yield Cluster(found, None)
        return
    with private_folder("streamtag-ray-") as folder:
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        os.environ.update(_ALL_ON_LOOPBACK, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(token))
        os.environ.pop("RAY_AUTH_TOKEN", None)  # it would be taken instead
        os.environ.pop("RAY_ADDRESS", None)
        own = {
            "num_cpus": cpus or len(os.sched_getaffinity(0)),
            "object_store_memory": _OBJECT_STORE_BYTES,
            "include_dashboard": False,
            "_temp_dir": str(folder / "ray"),  # which it lets everybody write to
            "_node_ip_address": "127.0.0.1",
        }
        with _connected(address, own) as found:
            yield Cluster(found, token)


def _existing(address: str) -> dict[str, Any]:
    named = os.environ.get("RAY_ADDRESS", "") if address == "auto" else address
    if _LOOPBACK.match(named):
        os.environ.update(_ALL_ON_LOOPBACK)
    if found := _ADDRESS.match(named):
        try:
            socket.create_connection((found["host"].strip("[]"), int(found["port"])), _REACH_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise StreamtagError(f"no Ray cluster can be reached at {named}: {error}") from error
    return {"address": address}


@contextmanager
def _connected(address: str, options: dict[str, Any]) -> Iterator[str]:
    # Its library writes to standard error what is no error; it reads this when it connects.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray

    quiet = {"configure_logging": False, "log_to_driver": False}
    with _what_is_written_to_standard_error() as written:
        try:
            with _signals_kept():
                context = ray.init(**options, **quiet, namespace=_NAMESPACE)
        except Exception as error:  # Ray has no base of its errors
            with suppress(Exception):
                ray.shutdown()
            raise StreamtagError(_reason(address, error, written())) from error
    # What the nodes tell of their processes would stand among our results, on standard output.
    import ray._private.worker

    ray._private.worker._worker_logs_enabled = False
    try:
        yield context.address_info["gcs_address"]
    finally:
        ray.shutdown()


@contextmanager
def _what_is_written_to_standard_error() -> Iterator[Callable[[], str]]:
    """Keep from standard error what Ray's library writes to it at each of its tries, and yield what returns it."""
    with tempfile.TemporaryFile() as kept:
        before = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield lambda: os.pread(kept.fileno(), 1 << 20, 0).decode(errors="replace")
        finally:
            os.dup2(before, 2)
            os.close(before)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Undo what Ray does to signals' handlers: who calls it ends in an order of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _reason(address: str, error: Exception, written: str) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0] if lines else type(error).__name__
    named = os.environ.get("RAY_ADDRESS")
    if address == "local":
        return f"no Ray cluster could be started on this machine: {first}"
    if "InvalidAuthToken" in written:
        return (
            "the Ray cluster asks for a token and was told none, or another: set RAY_AUTH_MODE=token, and "
            "RAY_AUTH_TOKEN_PATH to the token's file"
        )
    if address == "auto" and not named:
        return f"no Ray cluster runs on this machine, and RAY_ADDRESS names none; --ray local starts one ({first})"
    return f"the Ray cluster at {named if address == 'auto' else address} cannot be used: {first}"
