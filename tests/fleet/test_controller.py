from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from streamtag.config import load_config
from streamtag.fleet.cluster import RayNode
from streamtag.fleet.controller import Controller
from streamtag.fleet.joined import Heard
from streamtag.fleet.lease import LeaseTable
from streamtag.fleet.node import NodeReport
from streamtag.fleet.settings import Fleet, load_fleet
from streamtag.wire.messages import Header, ServiceHeader, StatusHeader


class FakeNode:
    """A node whose service does at once what it is told, unless it is frozen, or slow, or keeps what it should not."""

    def __init__(self, name: str, fleet: "FakeFleet") -> None:
        self.name, self.fleet = name, fleet
        self.report: NodeReport | None = None
        self.reason = ""
        self.told = NodeReport(f"tcp://127.0.0.1:{7000 + len(fleet.made)}", 0, False, "", 0, 1)
        self.streams: list[str] = []
        self.is_frozen = self.is_broken = self.keeps = False
        self.sustainable: int | None = 100
        self.assigned: list[list[str]] = []
        self.last_heard: Heard | None = None

    def assign(self, text: str, idle: str, term: int) -> None:
        file = self.fleet.folder / f"{self.name}.toml"
        file.write_text(text)
        self.assigned.append([stream.id for stream in load_config(file).streams])
        self.told = self.told._replace(term=term, is_idle=False)
        self.streams = list(dict.fromkeys([*(self.streams if self.keeps else []), *self.assigned[-1]]))

    def look(self) -> None:
        if not self.is_frozen:
            self.report = self.told._replace(reason="it fails" if self.is_broken else "")

    def heard(self, now: float) -> Heard | None:
        if not self.is_frozen and not self.is_broken and self.told.term:
            self.last_heard = Heard(now, header(self.streams, self.sustainable))
        return self.last_heard


def header(streams: list[str], sustainable: int | None) -> ServiceHeader:
    return ServiceHeader(
        version="1",
        model="tiny",
        runtime="none",
        labels=["Dog"],
        labels_hash="0",
        streams=streams,
        patches=0,
        dropped_patches=0,
        sustainable_streams=sustainable,
        uptime=1.0,
    )


class FakeFleet:
    """Nodes and wire in one, with a clock that the test turns."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        self.now = 1000.0
        self.up = list(names)
        self.made: dict[str, FakeNode] = {}
        self.leases = LeaseTable()
        self.owners: dict[str, str] = {}
        self.told: list[Header] = []
        self.forgotten: list[str] = []

    def nodes(self) -> list[RayNode]:
        return [RayNode(name, "127.0.0.1") for name in self.up]

    def service(self, node: RayNode) -> FakeNode:
        return self.made.setdefault(node.id, FakeNode(node.id, self))

    def revoke(self, terms: dict[str, int]) -> None:
        self.leases.revoke(terms)

    def hear(self, node: str, endpoint: str) -> None:
        pass

    def leave(self, node: str) -> None:
        pass

    def go_by(self, owners: Mapping[str, str]) -> None:
        self.owners = dict(owners)

    def forget(self, stream: str) -> None:
        self.forgotten.append(stream)

    def publish(self, header: Header) -> None:
        self.told.append(header)

    def heard(self) -> dict[str, Heard]:
        found = {name: node.heard(self.now) for name, node in self.made.items()}
        return {name: each for name, each in found.items() if each is not None}

    def on(self, node: str) -> set[str]:
        return {stream for stream, owner in self.owners.items() if owner == node}

    def newest(self) -> ServiceHeader:
        return next(each for each in reversed(self.told) if isinstance(each, ServiceHeader))


Turn = Callable[[float], None]


def begin(folder: Path, streams: int = 6, *names: str) -> tuple[FakeFleet, Controller, Turn]:
    fake = FakeFleet(folder, *(names or ("a", "b")))
    controller = Controller(fleet_of(folder, streams), fake, fake, lambda: fake.now)

    def turn(seconds: float) -> None:
        until = fake.now + seconds
        while fake.now < until:
            fake.now += 0.5
            controller.step()

    turn(3)
    return fake, controller, turn


def fleet_of(folder: Path, streams: int) -> Fleet:
    file = folder / "FLEET.toml"
    lines = "".join(f'[[stream]]\nid = "s{number}"\nsource = "file:{number}.wav"\n' for number in range(streams))
    file.write_text(f"[fleet]\nloopback = true\n{lines}")
    return load_fleet(file)


def test_streams_are_spread_over_the_nodes_once_their_services_are_heard(tmp_path: Path) -> None:
    fake, _, _ = begin(tmp_path)
    assert (len(fake.on("a")), len(fake.on("b"))) == (3, 3)
    assert set(fake.made["a"].streams) == fake.on("a")
    assert [node.state for node in fake.newest().nodes] == ["live", "live"]


def test_a_frozen_nodes_streams_are_on_others_within_ten_seconds_and_its_term_is_over(tmp_path: Path) -> None:
    fake, _, turn = begin(tmp_path)
    term = fake.made["a"].told.term
    fake.made["a"].is_frozen = True
    turn(9.5)
    assert len(fake.on("b")) == 6
    assert set(fake.made["b"].streams) == {f"s{number}" for number in range(6)}
    assert not fake.leases.holds("a", term)
    states = [each for each in fake.told if isinstance(each, StatusHeader)]
    assert {each.reason for each in states} == {"node a is lost; it is placed anew"}


def test_a_node_that_returns_gets_a_new_term_and_streams_again(tmp_path: Path) -> None:
    fake, _, turn = begin(tmp_path, 60)
    node = fake.made["a"]
    term = node.told.term
    node.is_frozen = True
    turn(12)
    assert not fake.on("a")
    node.is_frozen = False
    turn(3)
    assert node.told.term > term
    assert fake.leases.holds("a", node.told.term)
    assert len(fake.on("a")) > 10
    assert not set(node.streams) & set(fake.made["b"].streams)


def test_a_node_that_ray_lost_is_lost_at_once(tmp_path: Path) -> None:
    fake, _, turn = begin(tmp_path)
    fake.up.remove("a")
    turn(1)
    assert len(fake.on("b")) == 6
    turn(100)
    assert [node.name for node in fake.newest().nodes] == ["b"]


def test_a_service_that_fails_is_told_of_and_the_others_go_on(tmp_path: Path) -> None:
    fake = FakeFleet(tmp_path, "a", "b")
    controller = Controller(fleet_of(tmp_path, 4), fake, fake, lambda: fake.now)
    fake.service(RayNode("a", "127.0.0.1")).is_broken = True
    for _ in range(6):
        fake.now += 0.5
        controller.step()
    assert len(fake.on("b")) == 4
    assert [(node.state, node.reason) for node in fake.newest().nodes] == [("failed", "it fails"), ("live", "")]


def test_a_slow_node_gives_streams_away_and_they_are_never_on_two_at_once(tmp_path: Path) -> None:
    fake, controller, turn = begin(tmp_path, 40)
    assert len(fake.on("a")) == 20
    fake.made["a"].sustainable = 10
    for _ in range(20):
        turn(0.5)
        assert not set(fake.made["a"].streams) & set(fake.made["b"].streams)
    assert len(fake.on("a")) <= 10
    assert len(controller.owners) == 40


def test_a_node_that_keeps_what_was_taken_away_loses_its_term(tmp_path: Path) -> None:
    fake, _, turn = begin(tmp_path, 40)
    node = fake.made["a"]
    term = node.told.term
    node.keeps, node.sustainable = True, 10
    turn(8)
    assert fake.leases.holds("a", term)
    turn(3)
    assert not fake.leases.holds("a", term)


def test_added_and_removed_streams_leave_the_others_where_they_are(tmp_path: Path) -> None:
    fake, controller, turn = begin(tmp_path, 4)
    before = dict(fake.owners)
    controller.reload(fleet_of(tmp_path, 6))
    turn(1)
    assert before.items() <= fake.owners.items()
    assert len(fake.owners) == 6
    controller.reload(fleet_of(tmp_path, 3))
    turn(1)
    assert fake.owners == {stream: node for stream, node in before.items() if stream != "s3"}
    assert set(fake.forgotten) == {"s3", "s4", "s5"}


def test_whoever_begins_anew_takes_over_what_the_nodes_have(tmp_path: Path) -> None:
    fake, _, _ = begin(tmp_path, 10)
    before, handed = dict(fake.owners), {name: len(node.assigned) for name, node in fake.made.items()}
    fake.owners = {}
    again = Controller(fleet_of(tmp_path, 10), fake, fake, lambda: fake.now)
    for _ in range(6):
        fake.now += 0.5
        again.step()
    assert fake.owners == before
    for name, node in fake.made.items():
        assert {frozenset(each) for each in node.assigned[handed[name] :]} == {frozenset(node.streams)}


def test_an_actor_that_began_anew_is_given_its_streams_again(tmp_path: Path) -> None:
    fake, _, turn = begin(tmp_path)
    node = fake.made["a"]
    had = list(node.streams)
    node.told = node.told._replace(term=0, endpoint="tcp://127.0.0.1:7999")
    node.streams = []
    turn(5)
    assert node.streams == had


@pytest.mark.parametrize("room", [3])
def test_streams_for_which_there_is_no_room_are_told_of(tmp_path: Path, room: int) -> None:
    fake, _, turn = begin(tmp_path, 10)
    for node in fake.made.values():
        node.sustainable = room + 1
    fake.up.remove("a")
    turn(1)
    assert fake.newest().homeless
    assert {each.reason for each in fake.told if isinstance(each, StatusHeader)} >= {"no node has room for it"}
