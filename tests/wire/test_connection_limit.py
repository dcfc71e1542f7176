"""A flood of connections that are made and left again, by those who have no key."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from streamtag.errors import WireError
from streamtag.keys import ServerKeys, add_client, read_client_key, write_server
from streamtag.wire import Publisher, Subscriber
from streamtag.wire.connection_limit import ConnectionLimit
from tests.wire.conftest import ANY_PORT
from tests.wire.receiving import received
from tests.wire.samples import scores

MOST, STEP_SECONDS = 50.0, 0.1


@contextmanager
def flood(port: int, pause_seconds: float = 0.002) -> Iterator[None]:
    """Strangers at a port of this machine, some hundred a second."""
    over = threading.Event()

    def come_and_go() -> None:
        while not over.wait(pause_seconds):
            with suppress(OSError), socket.socket() as stranger:
                stranger.setblocking(False)
                stranger.connect_ex(("127.0.0.1", port))

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def wait_for(limit: ConnectionLimit, condition: Callable[[float], bool], step: Callable[[], None]) -> None:
    deadline = time.monotonic() + 30
    while not condition(limit.share):
        assert time.monotonic() < deadline, f"{limit.share} of all are let pass"
        step()
        time.sleep(STEP_SECONDS / 4)


@contextmanager
def listening(host: str = "127.0.0.1") -> Iterator[tuple[ConnectionLimit, int]]:
    """A port of which all that comes is taken; yields its number."""
    limit = ConnectionLimit(host, 0, MOST, step_seconds=STEP_SECONDS)

    def take() -> None:
        with suppress(OSError):
            while True:
                limit.listener.accept()[0].close()

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield limit, limit.listener.getsockname()[1]
    finally:
        limit.listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        limit.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::"])
def test_of_a_flood_only_some_are_let_pass_and_all_when_it_is_over(host: str) -> None:
    with listening(host) as (limit, port):
        with flood(port):
            wait_for(limit, lambda share: share < 0.5, limit.step)
        wait_for(limit, lambda share: share == 1.0, limit.step)
        for _ in range(20):  # by chance none of them all would be left out
            with socket.create_connection(("127.0.0.1", port), timeout=0.5):
                pass


def test_a_flood_at_somebody_elses_port_is_nothing_to_us() -> None:
    with listening() as (ours, _), listening() as (_, port), flood(port):
        wait_for(ours, lambda share: share < 1.0, ours.step)  # it is counted who comes
        wait_for(ours, lambda share: share == 1.0, ours.step)


def test_who_is_connected_notices_nothing_of_strangers_and_who_is_new_gets_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[ConnectionLimit] = []

    class Limited(ConnectionLimit):
        def __init__(self, host: str, port: int) -> None:
            super().__init__(host, port, MOST, step_seconds=STEP_SECONDS)
            limits.append(self)

    monkeypatch.setattr("streamtag.wire.admission.ConnectionLimit", Limited)
    write_server(tmp_path / "keys")
    key = read_client_key(add_client(tmp_path / "keys", "porch"))
    publisher = Publisher(ANY_PORT, keys=ServerKeys(tmp_path / "keys"))
    publisher.start()
    with pytest.raises(WireError, match="the port is in use"):
        Publisher(publisher.endpoint, keys=ServerKeys(tmp_path / "keys")).start()
    try:
        with Subscriber(publisher.endpoint, ["porch"], ["scores"], key=key) as subscriber:

            def hear_one() -> None:
                publisher.publish([scores()])
                assert received(subscriber, 10).missed == 0

            hear_one()
            with flood(int(publisher.endpoint.rpartition(":")[2])):
                wait_for(limits[0], lambda share: share < 0.5, hear_one)
                late = Subscriber(publisher.endpoint, ["porch"], ["scores"], key=key)
            with late:
                received(late, 60)
    finally:
        publisher.stop()
