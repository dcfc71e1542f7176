"""A Ray cluster of several nodes on this machine, as Ray's own tests make one: all on the loopback, with a token."""

import fcntl
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

__all__ = ["Nodes", "ray_nodes"]

_TOKEN = secrets.token_hex(32)
"""Of all clusters that this process starts: Ray reads it once."""
_NODE = {"node_ip_address": "127.0.0.1", "object_store_memory": 80 << 20}


def _command(process: psutil.Process) -> str:
    """Return what a process runs; nothing of one that has ended, while it is looked at too."""
    try:
        return " ".join(process.cmdline()) if process.is_running() else ""
    except psutil.NoSuchProcess:
        return ""


class Nodes:
    """The nodes: a head that runs no work, and those that were added.

    Attributes:
        address: the head's, HOST:PORT.
        environment: what a process must have in its environment to connect.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self._cluster = _started(_head)
        self.address: str = self._cluster.address

    def add(self, cpus: int = 1, **resources: float) -> Any:
        """Add a node and wait until it is there."""
        return _started(lambda: self._cluster.add_node(**_NODE, num_cpus=cpus, resources=resources))

    def kill(self, node: Any) -> None:
        """Kill all processes of a node at once, as a loss of power does."""
        processes = [psutil.Process(info.process.pid) for each in node.all_processes.values() for info in each]
        below = [child for process in processes for child in process.children(recursive=True)]
        for process in [*processes, *below]:
            with suppress(psutil.NoSuchProcess):  # what is below one that was killed may end with it
                process.kill()
        self._cluster.remove_node(node, allow_graceful=False)

    def workers(self, name: str) -> list[psutil.Process]:
        """Return the processes of all nodes that run an actor of a class with this name."""
        return [one for one in psutil.Process().children(recursive=True) if name in _command(one)]

    def close(self) -> None:
        """End all nodes."""
        self._cluster.shutdown()


_LATE = ("Timed out waiting for file", "timed out during startup")


def _head() -> Any:
    from ray.cluster_utils import Cluster

    return Cluster(initialize_head=True, head_node_args={**_NODE, "num_cpus": 0, "include_dashboard": False})


def _started(start: Callable[[], Any], tries: int = 3) -> Any:
    """Start a node, one at a time on this machine; Ray waits half a minute for what two at once are late with."""
    with (Path(tempfile.gettempdir()) / "streamtag-tests-ray.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        while True:
            tries -= 1
            try:
                return start()
            except Exception as error:  # Ray raises the plainest of all
                if not tries or not any(late in str(error) for late in _LATE):
                    raise


@contextmanager
def ray_nodes() -> Iterator[Nodes]:
    """Yield a cluster whose head runs, and end it."""
    # Not below pytest's folders: a socket's path may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="ray-nodes-") as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        (folder / "ray").mkdir()
        token = folder / "token"
        token.write_text(_TOKEN)
        environment = {
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_TMPDIR": name,
            # Otherwise the others that run tests on this machine leave next to nothing to Ray's processes.
            "RAY_worker_niceness": "0",
            # Workers that nobody asked for: of a node as many as it has cores.
            "RAY_prestart_worker_first_driver": "0",
        }
        for key, value in environment.items():
            patch.setenv(key, value)
        nodes = Nodes(environment)
        try:
            yield nodes
        finally:
            nodes.close()
