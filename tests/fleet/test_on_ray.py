"""A fleet on a Ray cluster of several nodes on this machine: nodes that are lost, frozen and come back."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from streamtag.wire import Subscriber
from tests.bundles import make_bundle
from tests.ports import free_port
from tests.ray_nodes import Nodes, ray_nodes
from tests.real.servers import is_running, wait_until
from tests.sounds import tone, write

WAIT_SECONDS = 150.0
pytestmark = pytest.mark.timeout(600)
STREAMS = 6


class Ear:
    """Hears an endpoint until it is closed.

    Attributes:
        sessions: of each stream's scores, in the order in which they came.
        service: the newest state of the whole.
    """

    def __init__(self, endpoint: str) -> None:
        self.sessions: dict[str, list[str]] = {}
        self.heard: dict[str, float] = {}
        self.service: dict[str, Any] = {}
        self._subscriber = Subscriber(endpoint, kinds=["scores", "service"])
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        for message in self._subscriber:
            header = message.header
            if header["kind"] == "service":
                self.service = header
                continue
            of_stream = self.sessions.setdefault(header["stream"], [])
            if not of_stream or of_stream[-1] != header["session"]:
                of_stream.append(header["session"])
            self.heard[header["stream"]] = time.monotonic()

    def nodes(self) -> dict[str, dict[str, Any]]:
        return {node["name"]: node for node in self.service.get("nodes", ())}

    def now(self) -> dict[str, str]:
        """The session in which each stream was heard last."""
        return {stream: sessions[-1] for stream, sessions in self.sessions.items()}

    def close(self) -> None:
        self._subscriber.close()


class RunningFleet:
    def __init__(self, folder: Path, nodes: Nodes) -> None:
        self.folder, self.nodes = folder, nodes
        self.endpoint = f"tcp://127.0.0.1:{free_port()}"
        self.file = folder / "FLEET.toml"
        self.write(STREAMS)
        self.start()
        self.ear = Ear(self.endpoint)

    def write(self, streams: int, bundle: str = "tiny", name: str = "fleet", file: Path | None = None) -> None:
        lines = "".join(
            f'[[stream]]\nid = "s{number}"\nsource = "file:tone.wav"\nrealtime = true\nloop = true\n'
            for number in range(streams)
        )
        (file or self.file).write_text(
            f'[service]\nendpoint = "{self.endpoint}"\n[fleet]\nname = "{name}"\nloopback = true\n'
            f'streams_per_node = 8\n[model]\nbundle = "{bundle}"\nruntime = "onnxruntime"\n{lines}'
        )

    def start(self, **options: Any) -> None:
        command = [sys.executable, "-m", "streamtag", "fleet", "run", str(self.file), "--ray", self.nodes.address]
        self.process = subprocess.Popen(command, env={**os.environ, **self.nodes.environment}, **options)

    def status(self, file: Path | None = None) -> tuple[int, dict[str, Any]]:
        command = [sys.executable, "-m", "streamtag", "fleet", "status", str(file or self.file), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout)

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        try:
            wait_until(condition, WAIT_SECONDS, what)
        except AssertionError as error:
            error.add_note(f"nodes: {list(self.ear.nodes().values())}")
            raise

    def live(self) -> int:
        return sum(node["state"] == "live" and node["streams"] > 0 for node in self.ear.nodes().values())


def processes(node: Any) -> list[psutil.Process]:
    """All processes of a node of the cluster, services included."""
    found = []
    for info in (info for each in node.all_processes.values() for info in each):
        with suppress(psutil.NoSuchProcess):
            found += [process := psutil.Process(info.process.pid), *process.children(recursive=True)]
    return found


def send(node: Any, number: signal.Signals) -> None:
    for process in processes(node):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def named(nodes: Nodes, is_meant: Callable[[psutil.Process], bool]) -> set[int]:
    """The processes of this cluster that are meant."""
    found = set()
    for process in (process for node in nodes._cluster.list_all_nodes() for process in processes(node)):
        with suppress(psutil.NoSuchProcess):
            if is_meant(process):
                found.add(process.pid)
    return found


def services(nodes: Nodes) -> set[int]:
    """The processes of services."""
    return named(nodes, lambda process: process.cmdline()[-1:] != [] and process.cmdline()[-1].endswith("node.toml"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[Nodes, list[Any]]]:
    with ray_nodes() as nodes:
        yield nodes, [nodes.add(2), nodes.add(2)]


@pytest.fixture(scope="module")
def fleet(cluster: tuple[Nodes, list[Any]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFleet]:
    folder = tmp_path_factory.mktemp("fleet")
    make_bundle(folder / "tiny")
    write(folder / "tone.wav", tone(5.0))
    fleet = RunningFleet(folder, cluster[0])
    yield fleet
    fleet.ear.close()
    if fleet.process.poll() is None:
        fleet.process.terminate()
        fleet.process.wait(WAIT_SECONDS)


def test_streams_are_on_all_nodes_and_heard_at_one_endpoint(fleet: RunningFleet) -> None:
    fleet.wait_for(lambda: len(fleet.ear.sessions) == STREAMS and fleet.live() == 2, "scores of all streams")
    assert len(set(fleet.ear.now().values())) == 2
    status, told = fleet.status()
    assert status == 0
    assert [node["state"] for node in told["nodes"]] == ["live", "live"]
    assert sum(node["streams"] for node in told["nodes"]) == len(told["streams"]) == STREAMS


def test_added_and_removed_streams_touch_no_others(fleet: RunningFleet) -> None:
    before = fleet.ear.now()
    fleet.write(STREAMS + 2)
    fleet.wait_for(lambda: len(fleet.ear.sessions) == STREAMS + 2, "scores of the streams that were added")
    fleet.write(STREAMS)
    fleet.wait_for(lambda: len(fleet.ear.service["streams"]) == STREAMS, "the end of two streams")
    assert before.items() <= fleet.ear.now().items()


def test_a_lease_store_that_is_lost_moves_nothing(fleet: RunningFleet) -> None:
    def stores() -> set[int]:
        return named(fleet.nodes, lambda process: process.name().startswith("ray::LeaseTable"))

    before, (store,) = fleet.ear.now(), stores()
    os.kill(store, signal.SIGKILL)
    fleet.wait_for(lambda: stores() and store not in stores(), "another store")
    heard = dict(fleet.ear.heard)
    fleet.wait_for(
        lambda: all(fleet.ear.heard[f"s{n}"] > heard[f"s{n}"] + 2 for n in range(STREAMS)), "scores of all streams"
    )
    assert before.items() <= fleet.ear.now().items()


def test_whoever_is_killed_is_followed_by_one_that_takes_over_what_runs(fleet: RunningFleet) -> None:
    running = services(fleet.nodes)
    fleet.process.kill()
    fleet.process.wait()
    before = fleet.ear.now()
    heard = dict(fleet.ear.heard)
    fleet.start()
    fleet.wait_for(lambda: all(fleet.ear.heard[f"s{n}"] > heard[f"s{n}"] for n in range(STREAMS)), "scores again")
    assert fleet.ear.now() == before
    assert services(fleet.nodes) == running


def test_a_frozen_nodes_streams_are_scored_elsewhere_and_not_beside_it_for_long(
    fleet: RunningFleet, cluster: tuple[Nodes, list[Any]]
) -> None:
    node = cluster[1][0]
    (name,) = [each for each in fleet.ear.nodes() if node.node_id.startswith(each)]
    old = Ear(fleet.ear.nodes()[name]["endpoint"])
    fleet.wait_for(lambda: len(old.sessions) == fleet.ear.nodes()[name]["streams"], "what the node scores")
    moving = dict(old.now())
    moves = {stream: len(fleet.ear.sessions[stream]) for stream in moving}
    frozen_at = time.monotonic()
    send(node, signal.SIGSTOP)
    fleet.wait_for(lambda: fleet.ear.nodes()[name]["state"] == "lost", "the loss")
    assert fleet.ear.service["homeless"] == []
    placed_after = time.monotonic() - frozen_at
    fleet.wait_for(lambda: all(fleet.ear.now()[stream] != moving[stream] for stream in moving), "scores elsewhere")
    send(node, signal.SIGCONT)
    thawed_at = time.monotonic()

    def elsewhere() -> set[str]:
        """The emptier one of two nodes is soon given some of its streams again."""
        return {stream for stream in moving if fleet.ear.now()[stream] != moving[stream]}

    # Its term is over: it drops what it had, or its service ended with the node that Ray took for dead.
    fleet.wait_for(lambda: not elsewhere() & set(old.service["streams"]) or not answers(old), "the end of its scoring")
    beside = max((old.heard[stream] for stream in elsewhere()), default=thawed_at) - thawed_at
    assert placed_after < 10
    assert beside < 15
    old.close()
    assert all(len(fleet.ear.sessions[stream]) - moves[stream] in (1, 2) for stream in moving)


def answers(ear: Ear) -> bool:
    return time.monotonic() - max(ear.heard.values()) < 10


def test_a_node_that_is_added_joins_and_a_killed_ones_streams_move(
    fleet: RunningFleet, cluster: tuple[Nodes, list[Any]]
) -> None:
    nodes, members = cluster
    fleet.wait_for(lambda: fleet.live() >= 1 and not fleet.ear.service["homeless"], "a fleet that is well")
    members.append(nodes.add(2))

    def state_of(member: Any) -> dict[str, Any]:
        return next((node for name, node in fleet.ear.nodes().items() if member.node_id.startswith(name)), {})

    fleet.wait_for(lambda: state_of(members[-1]).get("state") == "live", "the node that was added")
    doomed = next(member for member in members if state_of(member)["state"] == "live" and state_of(member)["streams"])
    members.remove(doomed)
    name = state_of(doomed)["name"]
    begin = time.monotonic()
    nodes.kill(doomed)
    fleet.wait_for(lambda: fleet.ear.nodes()[name]["state"] == "lost", "the loss")
    assert time.monotonic() - begin < 10
    fleet.wait_for(lambda: not fleet.ear.service["homeless"], "another place for its streams")
    heard = dict(fleet.ear.heard)
    fleet.wait_for(lambda: all(fleet.ear.heard[f"s{n}"] > heard[f"s{n}"] for n in range(STREAMS)), "scores of all")


def test_a_model_that_does_not_load_is_told_of(fleet: RunningFleet) -> None:
    file = fleet.folder / "BROKEN.toml"
    other = free_port()
    fleet.write(1, bundle="./nowhere", name="broken", file=file)
    file.write_text(file.read_text().replace(fleet.endpoint, f"tcp://127.0.0.1:{other}"))
    command = [sys.executable, "-m", "streamtag", "fleet", "run", str(file), "--ray", fleet.nodes.address]
    with subprocess.Popen(command, env={**os.environ, **fleet.nodes.environment}) as process:
        ear = Ear(f"tcp://127.0.0.1:{other}")
        fleet.wait_for(lambda: any(node["state"] == "failed" for node in ear.nodes().values()), "the failure")
        status, told = fleet.status(file)
        process.terminate()
        assert process.wait(WAIT_SECONDS) == 0
        ear.close()
    assert status == 1
    assert told["homeless"] == ["s0"]
    assert any("nowhere" in node["reason"] for node in told["nodes"])


def test_its_end_ends_the_services(fleet: RunningFleet) -> None:
    running = services(fleet.nodes)
    assert running
    fleet.process.send_signal(signal.SIGINT)
    assert fleet.process.wait(WAIT_SECONDS) == 0
    wait_until(lambda: not any(map(is_running, running)), WAIT_SECONDS, "the end of the services")


def test_a_head_that_is_lost_is_told_of_and_ends_the_fleet(fleet: RunningFleet) -> None:
    fleet.start(stderr=subprocess.PIPE)
    fleet.wait_for(lambda: services(fleet.nodes) and fleet.live() >= 1, "a fleet that is well")
    fleet.nodes.kill(fleet.nodes._cluster.head_node)
    _, said = fleet.process.communicate(timeout=WAIT_SECONDS)
    assert fleet.process.returncode == 1
    assert f"Ray's head at {fleet.nodes.address} is gone" in said.decode().splitlines()[-1]
