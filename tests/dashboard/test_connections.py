import asyncio
import socket
from collections.abc import Iterator

import pytest

from streamtag.dashboard.connections import Connection, Connections, Listener


@pytest.fixture
def pairs() -> Iterator[list[socket.socket]]:
    made: list[socket.socket] = []
    yield made
    for each in made:
        each.close()


def enter(connections: Connections, address: str, pairs: list[socket.socket]) -> Connection | None:
    here, there = socket.socketpair()
    connection = Connection(fileno=here.detach())
    pairs += [connection, there]
    return connection if connections.enter(connection, address) else None


def is_open(connection: Connection | None) -> bool:
    assert connection is not None
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True


def test_of_too_many_the_one_that_was_idle_for_longest_makes_room(pairs: list[socket.socket]) -> None:
    connections = Connections(most=3)
    first, second, third = (enter(connections, f"192.0.2.{number}", pairs) for number in range(3))
    assert first is not None
    connections.work(first)
    fourth = enter(connections, "192.0.2.9", pairs)
    assert [is_open(each) for each in (first, second, third, fourth)] == [True, False, True, True]


def test_whoever_has_most_makes_room_for_others(pairs: list[socket.socket]) -> None:
    connections = Connections(most=4)
    lonely = enter(connections, "192.0.2.1", pairs)
    crowd = [enter(connections, "192.0.2.2", pairs) for _ in range(3)]
    assert enter(connections, "192.0.2.3", pairs)
    assert [is_open(each) for each in (lonely, *crowd)] == [True, False, True, True]


def test_where_all_are_in_use_nobody_more_comes_in_until_one_is_left(
    pairs: list[socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    connections = Connections(most=2)
    held = [enter(connections, "192.0.2.1", pairs) for _ in range(2)]
    for each in held:
        assert each is not None
        connections.work(each)
    assert [enter(connections, "192.0.2.2", pairs) for _ in range(50)] == [None] * 50
    assert caplog.text.count("\n") == 1
    assert held[0] is not None
    held[0].close()
    assert enter(connections, "192.0.2.2", pairs)


def test_one_address_has_a_share_and_a_server_on_this_machine_speaks_for_many(pairs: list[socket.socket]) -> None:
    connections = Connections(most=10, by_visitor=2)
    first, _, third = (enter(connections, "192.0.2.1", pairs) for _ in range(3))
    assert not is_open(first)
    assert third is not None
    crowd = [enter(connections, "127.0.0.1", pairs) for _ in range(5)]
    assert all(is_open(each) for each in crowd)


def test_what_was_idle_for_too_long_is_ended(pairs: list[socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    connections = Connections(most=10, idle_seconds=0.0)
    idle, busy, new = (enter(connections, "192.0.2.1", pairs) for _ in range(3))
    assert busy is not None
    connections.work(busy)
    connections.rest(busy)
    monkeypatch.setattr("streamtag.dashboard.connections.time.monotonic", lambda: 1e12)
    connections.work(busy)
    asyncio.run(connections.sweep())
    assert [is_open(each) for each in (idle, busy, new)] == [False, True, False]


def test_a_listener_counts_what_it_accepts() -> None:
    connections = Connections(most=2)
    with Listener(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.connections = connections
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        clients = [socket.create_connection(listener.getsockname()) for _ in range(3)]
        accepted = [listener.accept()[0] for _ in range(3)]
        assert clients[0].recv(1) == b""  # which made room for the third
        for each in (*accepted, *clients):
            each.close()
    assert connections._count == 0
