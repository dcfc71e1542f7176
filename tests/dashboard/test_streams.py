"""The wall of all streams, with a real publisher behind it."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.requests import Request

from streamtag.dashboard.api.feed import Feed
from streamtag.dashboard.stream_routes import StreamRoutes
from streamtag.dashboard.wall import Wall
from streamtag.limits import PRIVATE_PREFIX
from streamtag.wire import Publisher, ServiceHeader
from streamtag.wire.headers import NodeInfo
from tests.dashboard.conftest import until
from tests.wire import samples

NAMES = [f"room-{number:02}" for number in range(45)]
Show = Callable[..., dict[str, Any]]


@pytest.fixture
def show(publisher: Publisher) -> Iterator[Show]:
    """Ask for a page of the wall."""
    feed, wall = Feed(publisher.endpoint), Wall(publisher.endpoint)
    feed.start()
    wall.start()
    routes = StreamRoutes(feed, wall)

    def ask(**query: object) -> dict[str, Any]:
        scope = {"type": "http", "query_string": urlencode(query).encode(), "headers": []}
        answer: dict[str, Any] = json.loads(bytes(routes.show(Request(scope)).body))
        return answer

    yield ask
    wall.stop()
    feed.stop()


def publish(publisher: Publisher, *streams: str, private: tuple[str, ...] = ()) -> None:
    service = samples.service()
    assert isinstance(service.header, ServiceHeader)
    service.header.streams, service.header.private = [*streams, *private], list(private)
    states = ["failed" if name == "room-07" else "live" for name in streams]
    publisher.publish([service, *map(samples.status, streams, states), *map(samples.status, private)])


def test_forty_are_shown_at_once_and_the_rest_on_the_next_page(publisher: Publisher, show: Show) -> None:
    publish(publisher, *NAMES)
    assert until(lambda: show()["found"] == len(NAMES))
    first, second, beyond = show(page=1), show(page=2), show(page="99999999999999999999")
    assert [each["id"] for each in first["streams"] + second["streams"]] == NAMES
    assert (len(first["streams"]), first["pages"], beyond["page"]) == (40, 2, 1)
    assert (first["states"], first["trouble"]) == ({"live": 44, "failed": 1}, 1)
    assert [each["id"] for each in show(only="trouble")["streams"]] == ["room-07"]
    assert show(text="ROOM-1", page=7)["found"] == 10


def test_what_was_heard_last_is_shown_of_the_streams_on_the_page_alone(publisher: Publisher, show: Show) -> None:
    publish(publisher, *NAMES)
    publisher.publish([samples.scores(NAMES[0]), samples.scores(NAMES[44]), samples.event(NAMES[0])])
    assert until(lambda: show()["found"] == len(NAMES) and show()["streams"][0]["heard"])
    (shown, other) = show()["streams"][:2]
    assert shown["heard"] == {"time": 1_000_000.5, "level_dbfs": -20.0, "label": "Dog", "score": 0.75}
    assert until(lambda: show()["streams"][0]["event"])
    assert (show()["streams"][0]["event"]["label"], other["heard"], other["event"]) == ("Dog", None, None)
    assert until(lambda: show(page=2)["streams"][-1]["heard"])  # from the moment on at which somebody looks


def test_nobody_sees_a_visitor_s_microphone(publisher: Publisher, show: Show) -> None:
    mine = f"{PRIVATE_PREFIX}abc"
    publish(publisher, "porch", private=(mine,))
    publisher.publish([samples.scores(mine), samples.event(mine)])
    assert until(lambda: show()["found"] == 1)
    assert [each["id"] for each in show(text="browser")["streams"]] == []


def test_the_nodes_of_a_fleet_are_shown_above_its_streams(publisher: Publisher, show: Show) -> None:
    node = NodeInfo("a1", "tcp://10.0.0.1:7000", "slow", "it has 9 streams and carries 4", 9, 3, 4, 100, 7)
    service = samples.service()
    assert isinstance(service.header, ServiceHeader)
    assert show()["nodes"] == []
    service.header.nodes = [node]
    publisher.publish([service])
    assert until(lambda: show()["nodes"])
    (told,) = show()["nodes"]
    assert (told["name"], told["state"], told["streams"], told["room"]) == ("a1", "slow", 9, 3)
