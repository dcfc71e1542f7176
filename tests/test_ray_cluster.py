"""The Ray cluster of our own, and what is said where another one cannot be used."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamtag.errors import ConfigError, StreamtagError
from streamtag.ray_cluster import is_ray_address, ray_cluster
from tests.ports import free_port
from tests.real.servers import is_running, wait_until

# In a process of its own: Ray reads its settings when it is imported, and leaves threads and handlers behind.
PROGRAM = """
import json, signal, sys
import psutil
from streamtag.ray_cluster import ray_cluster

signal.signal(signal.SIGTERM, signal.SIG_IGN)
with ray_cluster("local", cpus=1) as cluster:
    import ray

    @ray.remote
    def double(number):
        return 2 * number

    me = psutil.Process()
    everybody = [me, *me.children(recursive=True)]
    places = {place.laddr.ip for one in everybody for place in one.net_connections() if place.status == "LISTEN"}
    print(json.dumps({
        "doubled": ray.get(double.remote(21)),
        "places": sorted(places),
        "cores": ray.cluster_resources()["CPU"],
        "store": ray.cluster_resources()["object_store_memory"],
        "address": cluster.address,
        "token": str(cluster.token_path),
        "kept": signal.getsignal(signal.SIGTERM) == signal.SIG_IGN,
        "processes": [(one.pid, one.name()) for one in everybody[1:]],
    }), flush=True)
    sys.stdin.read()
"""

REFUSED = """
import sys
from streamtag.errors import StreamtagError
from streamtag.ray_cluster import ray_cluster

try:
    with ray_cluster(sys.argv[1]):
        pass
except StreamtagError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("local", True),
        ("auto", True),
        ("head.example:6379", True),
        ("[::1]:6379", True),
        ("ray://head:10001", False),
        ("head", False),
        ("", False),
        ("head:port", False),
    ],
)
def test_an_address_is_local_or_auto_or_a_host_with_its_port(text: str, *, is_one: bool) -> None:
    assert is_ray_address(text) is is_one


def test_another_address_is_refused_before_ray_is_asked() -> None:
    with pytest.raises(ConfigError, match='--ray may be "local", "auto" or HOST:PORT'), ray_cluster("ray://head:10001"):
        pass


def test_a_cluster_that_is_not_there_is_told_at_once() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(StreamtagError, match=f"no Ray cluster can be reached at {address}"), ray_cluster(address):
        pass


def test_a_cluster_of_our_own_listens_on_the_loopback_asks_for_a_token_and_dies_with_its_owner() -> None:
    command = [sys.executable, "-c", PROGRAM]
    owner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with owner:
        assert owner.stdout is not None
        told = json.loads(owner.stdout.readline())
        assert told["doubled"] == 42
        assert set(told["places"]) <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
        assert told["cores"] == 1
        assert told["store"] <= 128 << 20
        assert told["kept"]
        token = Path(told["token"])
        assert token.stat().st_mode & 0o077 == 0
        assert token.parent.stat().st_mode & 0o077 == 0
        refused = subprocess.run(
            [sys.executable, "-c", REFUSED, told["address"]],
            env={**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "f" * 64, "RAY_NUM_REDIS_GET_RETRIES": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert refused.stdout.startswith("the Ray cluster asks for a token and was told none, or another:")
        assert refused.stderr == ""
        owner.send_signal(signal.SIGKILL)
    # Two helpers tell the dead head of its end for a minute.
    agents = [pid for pid, name in told["processes"] if "Agent" in name]
    others = [pid for pid, name in told["processes"] if "Agent" not in name]
    wait_until(lambda: not any(map(is_running, others)), 60, "the end of the cluster")
    for pid in agents:
        os.kill(pid, signal.SIGKILL)
