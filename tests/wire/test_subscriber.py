import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq

from streamtag.errors import InputError, WireError
from streamtag.wire import Outgoing, Publisher, Subscriber
from streamtag.wire.messages import encode_header, topic_of
from tests.wire.receiving import received
from tests.wire.samples import event, scores, service, status


def frames_of(message: Outgoing, seq: int, session: str = "0123abcd") -> list[bytes]:
    message.header.session, message.header.seq = session, seq
    return [topic_of(message.header), encode_header(message.header), message.payload]


@pytest.fixture
def server() -> Iterator["zmq.Socket[bytes]"]:
    """A socket of our own in place of a service, to send what a service would not."""
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        socket.linger = 0
        socket.bind("tcp://127.0.0.1:*")
        yield socket


def endpoint_of(server: "zmq.Socket[bytes]") -> str:
    endpoint = server.last_endpoint
    assert isinstance(endpoint, bytes)
    return endpoint.decode()


@pytest.fixture
def subscriber(server: "zmq.Socket[bytes]") -> Iterator[Subscriber]:
    with Subscriber(endpoint_of(server), kinds=["scores"]) as subscriber:
        assert server.recv() == b"\x01scores/"
        yield subscriber


def test_a_gap_in_the_numbers_is_reported_as_missed(server: "zmq.Socket[bytes]", subscriber: Subscriber) -> None:
    for seq in (5, 6, 9):
        server.send_multipart(frames_of(scores(), seq))
    server.send_multipart(frames_of(scores("yard"), 9))
    messages = [received(subscriber, 5) for _ in range(4)]
    assert [(message.header["seq"], message.missed) for message in messages] == [(5, 0), (6, 0), (9, 2), (9, 0)]


def test_what_is_not_newer_is_ignored(server: "zmq.Socket[bytes]", subscriber: Subscriber) -> None:
    for seq in (5, 5, 4, 6):
        server.send_multipart(frames_of(scores(), seq))
    assert [received(subscriber, 5).header["seq"] for _ in range(2)] == [5, 6]
    assert subscriber.skipped == 0


def test_a_new_session_counts_anew(server: "zmq.Socket[bytes]", subscriber: Subscriber) -> None:
    server.send_multipart(frames_of(scores(), 100))
    server.send_multipart(frames_of(scores(), 3, session="ffffffff"))
    server.send_multipart(frames_of(scores(), 5, session="ffffffff"))
    messages = [received(subscriber, 5) for _ in range(3)]
    assert [(message.header["seq"], message.missed) for message in messages] == [(100, 0), (3, 0), (5, 1)]


def test_garbage_and_newer_versions_are_skipped_and_counted(
    server: "zmq.Socket[bytes]", subscriber: Subscriber
) -> None:
    topic, header, payload = frames_of(scores(), 0)
    server.send(b"scores/")
    server.send_multipart([b"scores/\xff", b"\xff", b"\xff"])
    server.send_multipart([topic, header.replace(b'"v":1', b'"v":2'), payload])
    server.send_multipart([topic, header, payload[:-4]])
    server.send_multipart([topic, header, payload])
    assert received(subscriber, 5).header["seq"] == 0
    assert subscriber.skipped == 4


def test_a_state_and_a_key_of_a_later_version_are_heard(server: "zmq.Socket[bytes]") -> None:
    with Subscriber(endpoint_of(server), kinds=["status"]) as subscriber:
        assert server.recv() == b"\x01status/"
        topic, header, payload = frames_of(status(state="warming"), 0)
        server.send_multipart([topic, header[:-1] + b',"temperature":20}', payload])
        message = received(subscriber, 5)
    assert (message.header["state"], message.header["temperature"], subscriber.skipped) == ("warming", 20, 0)


def test_receive_gives_none_when_the_time_is_over(subscriber: Subscriber) -> None:
    assert subscriber.receive(0) is None
    assert subscriber.receive(0.01) is None


@pytest.mark.parametrize(
    ("wishes", "topics"),
    [
        ({}, {"scores/", "event/", "status/", "service/"}),
        ({"kinds": ["event"]}, {"event/"}),
        ({"streams": ["a"]}, {"scores/a/", "event/a/", "status/a/"}),
        ({"streams": ["a", "b"], "kinds": ["scores", "service"]}, {"scores/a/", "scores/b/", "service/"}),
    ],
)
def test_only_what_is_wished_for_is_subscribed(
    server: "zmq.Socket[bytes]", wishes: dict[str, Any], topics: set[str]
) -> None:
    with Subscriber(endpoint_of(server), **wishes):
        assert {server.recv()[1:].decode() for _ in topics} == topics


def test_a_stream_whose_name_begins_like_another_is_not_heard(
    publisher: Publisher, subscribe: Callable[..., Subscriber]
) -> None:
    publisher.publish([scores("porch-2"), scores("porch")])
    assert received(subscribe(streams=["porch"]), 5).header["stream"] == "porch"


@pytest.mark.parametrize(
    ("wishes", "complaint"),
    [
        ({"kinds": ["score"]}, "'score' is not a kind of message: use scores, event, status, service"),
        ({"streams": ["a/b"]}, "cannot name a stream"),
        ({"streams": "porch"}, r"streams is a list of names, such as \['porch'\]"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(wishes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        Subscriber("tcp://127.0.0.1:9", **wishes)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:5556", "tcp://127.0.0.1", "tcp://:x", "inproc://a", ""])
def test_a_malformed_endpoint_is_refused_in_one_line(endpoint: str) -> None:
    with pytest.raises(WireError, match=r"^cannot subscribe to .*: write tcp://HOST:PORT or ipc://PATH[^\n]*$"):
        Subscriber(endpoint)


def test_a_service_that_comes_later_and_one_that_returns_are_heard(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/scores"
    with Subscriber(endpoint) as subscriber:
        for _ in range(2):
            publisher = Publisher(endpoint)
            publisher.start()
            publisher.publish([event(), event(number=1)])
            while (message := received(subscriber, 10)).header["session"] != publisher.session:
                pass  # what the one before had sent
            assert message.missed == 0
            publisher.stop()


@contextmanager
def interrupted_by(handler: Callable[..., object]) -> Iterator[None]:
    """Have a signal handled by this thread soon; not the alarm's, with which pytest ends tests that hang."""
    before = signal.signal(signal.SIGUSR1, handler)
    sender = threading.Timer(0.2, signal.pthread_kill, (threading.get_ident(), signal.SIGUSR1))
    sender.start()
    try:
        yield
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)


def test_close_from_another_thread_ends_the_iteration(subscriber: Subscriber) -> None:
    waiting = threading.Event()
    ended = threading.Event()

    def read() -> None:
        waiting.set()
        list(subscriber)
        ended.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert waiting.wait(60)
    subscriber.close()
    assert ended.wait(60)
    reader.join()
    assert subscriber.receive(1) is None


def test_close_from_a_signal_handler_ends_the_iteration(subscriber: Subscriber) -> None:
    with interrupted_by(lambda *_: subscriber.close()):
        assert list(subscriber) == []


def test_an_interrupt_leaves_the_subscriber_usable(server: "zmq.Socket[bytes]", subscriber: Subscriber) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), interrupted_by(interrupt):
        subscriber.receive()
    server.send_multipart(frames_of(scores(), 0))
    assert subscriber.receive(5) is not None


def test_all_kinds_arrive_and_only_scores_have_arrays(
    publisher: Publisher, subscribe: Callable[..., Subscriber]
) -> None:
    publisher.publish([scores(), event(), status(), service()])
    subscriber = subscribe()
    messages = {message.header["kind"]: message for message in (received(subscriber, 5) for _ in range(4))}
    assert messages.keys() == {"scores", "event", "status", "service"}
    rolling = messages["scores"].rolling
    assert rolling is not None
    assert rolling.shape == (4,)
    assert all(message.patch is None for kind, message in messages.items() if kind != "scores")
