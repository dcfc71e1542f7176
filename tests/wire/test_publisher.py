import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import zmq

from streamtag.errors import WireError
from streamtag.wire import PcmPuller, Publisher, Subscriber
from streamtag.wire.inbox import Delivery, Inbox
from tests.wire.receiving import received
from tests.wire.samples import event, scores, service, status

Subscribe = Callable[..., Subscriber]


def receive(subscriber: Subscriber, count: int) -> list[tuple[str, int]]:
    """Take messages as (stream, or kind of the service's, and seq)."""
    headers = [received(subscriber, 5).header for _ in range(count)]
    return [(header.get("stream", header["kind"]), header["seq"]) for header in headers]


def wait_until_published(publisher: Publisher) -> None:
    """Wait until all that was handed over is numbered and sent: a subscriber gets this answer after it."""
    publisher.publish([status("the-last")])
    with Subscriber(publisher.endpoint, streams=["the-last"]) as subscriber:
        assert subscriber.receive(10) is not None


def test_each_topic_counts_from_nought_by_one(publisher: Publisher, subscribe: Subscribe) -> None:
    subscriber = subscribe(kinds=["scores", "event"])
    publisher.publish([scores("a"), scores("b")])
    assert sorted(receive(subscriber, 2)) == [("a", 0), ("b", 0)]
    publisher.publish([scores("a", 1), event("a"), scores("a", 2)])
    publisher.publish([scores("b", 1)])
    assert receive(subscriber, 4) == [("a", 1), ("a", 0), ("a", 2), ("b", 1)]


def test_a_session_is_new_for_each_publisher() -> None:
    sessions = {Publisher("tcp://127.0.0.1:*").session for _ in range(20)}
    assert len(sessions) == 20
    assert all(re.fullmatch("[0-9a-f]{8}", session) for session in sessions)


def test_a_new_subscriber_gets_the_newest_of_each_topic_with_its_number(
    publisher: Publisher, subscribe: Subscribe
) -> None:
    publisher.publish([scores(patch=0), event(number=0), status(), service(), scores(patch=1), event(number=1)])
    wait_until_published(publisher)
    subscriber = subscribe(streams=["porch"], kinds=["scores", "event", "status", "service"])
    found = {message.header["kind"]: message for message in (received(subscriber, 5) for _ in range(4))}
    assert {kind: message.header["seq"] for kind, message in found.items()} == {
        "scores": 1,
        "event": 1,
        "status": 0,
        "service": 0,
    }
    assert found["scores"].header["start"] == 0.96
    assert found["scores"].header["session"] == publisher.session
    assert found["event"].header["id"] == 1
    assert all(message.missed == 0 for message in found.values())


def test_every_topic_of_thousands_is_replayed(publisher: Publisher, subscribe: Subscribe) -> None:
    names = [f"stream-{number}" for number in range(3000)]
    publisher.publish([scores(name) for name in names])
    wait_until_published(publisher)
    assert sorted(receive(subscribe(kinds=["scores"]), 3000)) == sorted((name, 0) for name in names)


def test_a_second_subscriber_of_a_prefix_gets_a_replay_that_the_first_ignores(
    publisher: Publisher, subscribe: Subscribe
) -> None:
    publisher.publish([scores()])
    first = subscribe(kinds=["scores"])
    assert receive(first, 1) == [("porch", 0)]
    second = subscribe(kinds=["scores"])
    assert receive(second, 1) == [("porch", 0)]
    publisher.publish([scores(patch=1)])
    assert receive(second, 1) == receive(first, 1) == [("porch", 1)]


def test_a_subscriber_that_leaves_does_not_silence_another_of_the_same_prefix(
    publisher: Publisher, subscribe: Subscribe
) -> None:
    publisher.publish([scores()])
    leaving, staying = subscribe(kinds=["scores"]), subscribe(kinds=["scores"])
    assert receive(leaving, 1) == receive(staying, 1) == [("porch", 0)]
    leaving.close()
    publisher.publish([scores(patch=1)])
    assert receive(staying, 1) == [("porch", 1)]
    staying.close()
    publisher.publish([scores(patch=2)])
    wait_until_published(publisher)
    assert receive(subscribe(kinds=["scores"]), 1) == [("porch", 2)]


def test_a_forgotten_stream_is_not_replayed_and_counts_on_when_it_returns(
    publisher: Publisher, subscribe: Subscribe
) -> None:
    publisher.publish([scores("gone"), event("gone"), status("gone"), scores("stays")])
    publisher.forget("gone")
    wait_until_published(publisher)
    subscriber = subscribe(streams=["gone", "stays"])
    assert receive(subscriber, 1) == [("stays", 0)]
    publisher.publish([scores("gone")])
    assert receive(subscriber, 1) == [("gone", 1)]


def test_messages_that_overflow_the_hand_over_are_counted_and_seen_as_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, release = threading.Event(), threading.Event()
    drain = Inbox.drain

    def hold(inbox: Inbox) -> Delivery:
        delivery = drain(inbox)
        if any(entry == "hold" for entry in delivery.entries):
            entered.set()
            release.wait(60)
        return delivery

    monkeypatch.setattr(Inbox, "drain", hold)
    publisher = Publisher("tcp://127.0.0.1:*")
    publisher.start()
    with Subscriber(publisher.endpoint, kinds=["scores"]) as subscriber:
        publisher.publish([scores()])
        assert received(subscriber, 5).missed == 0
        publisher.forget("hold")
        assert entered.wait(60)
        for _ in range(25):
            publisher.publish([scores() for _ in range(1000)])
        assert publisher.statistics().dropped == 5000
        release.set()
        message = received(subscriber, 5)
        assert (message.header["seq"], message.missed) == (5001, 5000)
    publisher.stop()


STOPPED_SUBSCRIBER = """
import sys, time, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.connect(sys.argv[1])
socket.subscribe(b"")
socket.recv_multipart()
print("subscribed", flush=True)
time.sleep(100)
"""


@pytest.fixture
def stopped_subscriber(publisher: Publisher) -> Iterator[None]:
    """A subscriber of everything in another process, which does not run any more."""
    publisher.publish([scores()])
    with subprocess.Popen(
        [sys.executable, "-c", STOPPED_SUBSCRIBER, publisher.endpoint], stdout=subprocess.PIPE
    ) as stuck:
        assert stuck.stdout is not None
        assert stuck.stdout.readline() == b"subscribed\n"
        stuck.send_signal(signal.SIGSTOP)
        yield
        stuck.kill()


@pytest.mark.usefixtures("stopped_subscriber")
def test_a_subscriber_that_stops_reading_neither_blocks_the_publisher_nor_makes_it_grow(publisher: Publisher) -> None:
    process = psutil.Process()

    def publish(messages: int) -> int:
        for _ in range(messages // 500):
            publisher.publish([scores(labels=250) for _ in range(500)])
            wait_until_published(publisher)
        return int(process.memory_info().rss)

    full = publish(20_000)
    grown = publish(20_000) - full  # 40 MB if these were kept
    assert grown < 10_000_000
    assert publisher.statistics().dropped == 0


@pytest.mark.usefixtures("stopped_subscriber")
def test_the_stop_does_not_wait_for_a_subscriber_that_does_not_read(publisher: Publisher) -> None:
    publisher.publish([scores(labels=5000) for _ in range(500)])
    publisher.stop()
    assert not publisher.statistics().running


def test_a_port_in_use_is_named_with_the_remedy(publisher: Publisher) -> None:
    with pytest.raises(WireError, match=f"^cannot publish on {publisher.endpoint}: the port is in use; stop .*$"):
        Publisher(publisher.endpoint).start()
    with pytest.raises(WireError, match=f"^cannot take PCM on {publisher.endpoint}: the port is in use"):
        PcmPuller(publisher.endpoint, lambda _: None).start()


def test_an_ipc_path_in_use_is_not_taken_away(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/scores"
    publisher = Publisher(endpoint)
    publisher.start()
    with pytest.raises(WireError, match="another program listens there"):
        Publisher(endpoint).start()
    publisher.publish([scores()])
    with Subscriber(endpoint) as subscriber:
        assert subscriber.receive(5) is not None
    publisher.stop()


def test_an_ipc_path_left_by_a_killed_service_is_used_again(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/scores"
    with zmq.Context() as context, context.socket(zmq.PUB) as socket:
        socket.bind(endpoint)
        os.rename(tmp_path / "scores", tmp_path / "kept")
    os.rename(tmp_path / "kept", tmp_path / "scores")
    publisher = Publisher(endpoint)
    publisher.start()
    publisher.stop()


@pytest.mark.parametrize(
    ("endpoint", "remedy"),
    [
        ("127.0.0.1:5556", "write tcp://HOST:PORT"),
        ("http://127.0.0.1:5556", "write tcp://HOST:PORT"),
        ("tcp://127.0.0.1", "write tcp://HOST:PORT"),
        ("tcp://127.0.0.1:99999", "write tcp://HOST:PORT"),
        ("tcp://192.0.2.1:5556", "this machine has no such address"),
        ("ipc:///nowhere/at/all", "the folder of that path does not exist"),
        (f"ipc:///tmp/{'x' * 120}", "the path is too long"),
    ],
)
def test_an_endpoint_that_cannot_be_bound_is_named_with_the_remedy(endpoint: str, remedy: str) -> None:
    with pytest.raises(WireError) as caught:
        Publisher(endpoint).start()
    assert re.match(f"cannot publish on '?{re.escape(endpoint)}'?: {re.escape(remedy)}", str(caught.value))
    assert "\n" not in str(caught.value)


def test_a_wildcard_becomes_the_real_endpoint(publisher: Publisher, puller: PcmPuller) -> None:
    assert re.fullmatch(r"tcp://127\.0\.0\.1:\d+", publisher.endpoint)
    assert re.fullmatch(r"tcp://127\.0\.0\.1:\d+", puller.endpoint)
    zero = Publisher("tcp://127.0.0.1:0")
    zero.start()
    zero.stop()
    assert not zero.endpoint.endswith(":0")


def test_what_was_handed_over_before_the_stop_arrives(publisher: Publisher, subscribe: Subscribe) -> None:
    publisher.publish([status("a")])
    subscriber = subscribe()
    assert receive(subscriber, 1) == [("a", 0)]
    publisher.publish([event("a", number) for number in range(2000)])
    publisher.stop()
    assert receive(subscriber, 2000) == [("a", number) for number in range(2000)]


def test_publishing_after_the_stop_and_stopping_twice_do_no_harm(publisher: Publisher) -> None:
    publisher.stop()
    publisher.stop()
    publisher.publish([scores()])
    publisher.forget("porch")
    assert not publisher.statistics().running


def test_garbage_from_a_subscriber_is_ignored(publisher: Publisher, subscribe: Subscribe) -> None:
    with zmq.Context() as context, context.socket(zmq.XSUB) as socket:
        socket.connect(publisher.endpoint)
        for garbage in (b"", b"\x02scores/", b"\x00never", b"\x01\xff\xfe", b"hello" * 1000):
            socket.send(garbage)
        socket.send(b"\x01status/")
        publisher.publish([status("a")])
        assert socket.poll(5000)
    assert receive(subscribe(), 1) == [("a", 0)]
