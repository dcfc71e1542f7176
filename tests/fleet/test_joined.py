from collections.abc import Callable, Iterator

import pytest

from streamtag.fleet.joined import JoinedWire
from streamtag.keys import ServerKeys, write_server
from streamtag.wire import Message, Publisher, StatusHeader, Subscriber
from tests.real.servers import wait_until
from tests.wire import samples

WAIT_SECONDS = 30.0


@pytest.fixture
def publish() -> Iterator[Callable[[], Publisher]]:
    made: list[Publisher] = []

    def start() -> Publisher:
        made.append(Publisher("tcp://127.0.0.1:*"))
        made[-1].start()
        return made[-1]

    yield start
    for publisher in made:
        publisher.stop()


@pytest.fixture
def wire() -> Iterator[JoinedWire]:
    wire = JoinedWire("tcp://127.0.0.1:*", "00000000", None, lambda error: None)
    wire.start()
    yield wire
    wire.stop()


def status(publisher: Publisher, stream: str) -> None:
    publisher.publish([samples.status(stream)])


def next_of(subscriber: Subscriber, stream: str) -> Message:
    while (message := subscriber.receive(WAIT_SECONDS)) is not None:
        if message.header.get("stream") == stream:
            return message
    raise AssertionError(f"nothing was heard of {stream}")


def test_all_nodes_are_heard_at_one_endpoint_and_the_newest_by_who_comes_late(
    wire: JoinedWire, publish: Callable[[], Publisher]
) -> None:
    nodes = {"a": publish(), "b": publish()}
    wire.go_by({"x": "a", "y": "b"})
    for name, publisher in nodes.items():
        wire.hear(name, publisher.endpoint)
    status(nodes["a"], "x")
    status(nodes["b"], "y")
    wait_until(lambda: len(wire.heard()) == 2, WAIT_SECONDS, "both nodes")
    with Subscriber(wire.endpoint) as late:
        heard = [late.receive(WAIT_SECONDS), late.receive(WAIT_SECONDS)]
    assert {message.header["stream"]: message.header["session"] for message in heard if message is not None} == {
        "x": nodes["a"].session,
        "y": nodes["b"].session,
    }


def test_a_stream_that_moves_shows_a_new_session_and_what_its_old_node_says_is_left_out(
    wire: JoinedWire, publish: Callable[[], Publisher]
) -> None:
    old, new = publish(), publish()
    wire.go_by({"x": "old", "mark": "old"})
    wire.hear("old", old.endpoint)
    wire.hear("new", new.endpoint)
    with Subscriber(wire.endpoint) as subscriber:
        status(old, "x")
        assert next_of(subscriber, "x").header["session"] == old.session
        wire.go_by({"x": "new", "mark": "old"})
        status(old, "x")
        status(old, "mark")
        assert next_of(subscriber, "mark").header["stream"] == "mark"  # all that went before it is here
        status(new, "x")
        message = next_of(subscriber, "x")
        assert (message.header["session"], message.header["seq"], message.missed) == (new.session, 0, 0)


def test_what_a_service_says_of_itself_is_for_whoever_looks_after_it(
    wire: JoinedWire, publish: Callable[[], Publisher]
) -> None:
    node = publish()
    wire.hear("a", node.endpoint)
    node.publish([samples.service()])
    wait_until(lambda: "a" in wire.heard() and wire.heard()["a"].service is not None, WAIT_SECONDS, "its word")
    with Subscriber(wire.endpoint) as subscriber:
        wire.publish(samples.status("own").header)
        assert next_of(subscriber, "own").header["session"] == "00000000"


def test_what_is_forgotten_is_not_told_to_who_comes_late(wire: JoinedWire) -> None:
    for stream in ("x", "y"):
        wire.publish(samples.status(stream).header)
    wire.forget("x")
    with Subscriber(wire.endpoint) as late:
        message = late.receive(WAIT_SECONDS)
        assert message is not None
        assert isinstance(message.typed, StatusHeader)
        assert message.header["stream"] == "y"
        assert late.receive(0.2) is None


def test_levels_are_asked_of_the_nodes_while_somebody_wants_them(
    wire: JoinedWire, publish: Callable[[], Publisher]
) -> None:
    node = publish()
    wire.hear("a", node.endpoint)
    assert not node.is_watched("x")
    with Subscriber(wire.endpoint, streams=["x"], kinds=["levels"]):
        wait_until(lambda: node.is_watched("x"), WAIT_SECONDS, "the wish")
    wait_until(lambda: not node.is_watched("x"), WAIT_SECONDS, "its end")


def test_only_those_with_a_key_come_in(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("keys")
    write_server(folder)
    keys = ServerKeys(folder)
    wire = JoinedWire("tcp://127.0.0.1:*", "00000000", keys, lambda error: None)
    wire.start()
    try:
        wire.publish(samples.status("x").header)
        with Subscriber(wire.endpoint, key=keys.own) as known, Subscriber(wire.endpoint) as stranger:
            assert known.receive(WAIT_SECONDS) is not None
            assert stranger.receive(0.3) is None
    finally:
        wire.stop()
