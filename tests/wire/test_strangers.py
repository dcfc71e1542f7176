"""What anybody who reaches the two ports may do: ask for much, send much, leave at the wrong moment."""

import contextlib
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import zmq

from streamtag.wire import PcmPuller, Publisher, Subscriber
from streamtag.wire.messages import KINDS
from streamtag.wire.subscriptions import Subscriptions
from tests.wire.receiving import received
from tests.wire.samples import scores, status


@contextlib.contextmanager
def peer(kind: int, endpoint: str) -> Iterator["zmq.Socket[bytes]"]:
    """A socket of ZeroMQ as any program may have it."""
    with zmq.Context() as context, context.socket(kind) as made:
        made.set(zmq.LINGER, 0)
        made.set(zmq.SNDHWM, 0)
        made.connect(endpoint)
        yield made


def zmtp(endpoint: str, kind: bytes) -> socket.socket:
    """A connection that has greeted as ZMTP 3.0 asks for."""
    connection = socket.create_connection(("127.0.0.1", int(endpoint.rpartition(":")[2])))
    connection.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL".ljust(23, b"\0") + bytes(32))
    body = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    connection.sendall(b"\x04" + bytes([len(body)]) + body)
    answer = b""
    while b"READY" not in answer:
        answer += connection.recv(4096)
    return connection


def test_a_subscriber_of_five_thousand_names_hears_every_one(publisher: Publisher) -> None:
    names = [f"stream-{number}" for number in range(5000)]
    publisher.publish([status(name) for name in names])
    with Subscriber(publisher.endpoint, names, KINDS[:3]) as subscriber:
        heard = {received(subscriber, 30).header["stream"] for _ in names}
        assert heard == set(names)
        publisher.publish([scores(names[-1])])
        assert received(subscriber, 10).header["kind"] == "scores"


@pytest.mark.parametrize("prefix", ["levels/stream-%d/", "scores/stream-%d/", "levels/stream-%d", "scores/s%d", ""])
def test_who_subscribes_to_fifty_thousand_topics_silences_nobody(publisher: Publisher, prefix: str) -> None:
    publisher.publish([scores(f"stream-{number}") for number in range(10_000)])
    with (
        Subscriber(publisher.endpoint, ["porch"], ["scores"]) as subscriber,
        peer(zmq.SUB, publisher.endpoint) as greedy,
    ):
        publisher.publish([scores()])
        assert subscriber.receive(10) is not None
        for number in range(50_000):
            greedy.subscribe(prefix % number if prefix else "")
        for patch in range(1, 20):
            publisher.publish([scores(patch=patch)])
            assert received(subscriber, 10).header["start"] == 0.96 * patch
            publisher.is_watched("stream-1")


@pytest.mark.parametrize("what", ["a topic", "a frame", "sound"])
def test_whoever_sends_too_much_in_one_frame_is_cut_off(publisher: Publisher, puller: PcmPuller, what: str) -> None:
    kind, endpoint = (b"PUSH", puller.endpoint) if what == "sound" else (b"SUB", publisher.endpoint)
    first = b"\x01" if what == "a topic" else b"\x02"
    with zmtp(endpoint, kind) as greedy:
        greedy.settimeout(10)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            greedy.sendall(b"\x02" + struct.pack(">Q", 4 << 30) + first + bytes(256 << 20))
    publisher.publish([scores()])
    with Subscriber(publisher.endpoint) as subscriber:
        assert subscriber.receive(10) is not None


def test_only_so_many_subscriptions_are_remembered() -> None:
    subscriptions = Subscriptions()
    for number in range(210_000):
        subscriptions.update(b"\x01levels/%d/" % number)
        subscriptions.update(b"\x01levels/part-%d" % number)
    assert subscriptions.is_watched("1")
    assert not subscriptions.is_watched("209999")
    for number in range(210_000):
        subscriptions.update(b"\x00levels/%d/" % number)
        subscriptions.update(b"\x00levels/part-%d" % number)
    assert not subscriptions
    assert not subscriptions.is_watched("1")
    assert subscriptions.update(b"\x01levels/209999/") == b"levels/209999/"
    assert subscriptions.is_watched("209999")


SERVICE = """
import sys, threading, time
from streamtag.wire import Publisher
from tests.wire.samples import scores
held, holds = threading.Event(), threading.Event()
publisher = Publisher("tcp://127.0.0.1:*")
send = publisher._send
publisher._send = lambda messages: (holds.set(), held.wait(5), send(messages))
publisher.start()
publisher.publish([scores()])
holds.wait(60)
print(publisher.endpoint, flush=True)
for line in sys.stdin:
    held.set()
    time.sleep(0.5)
    print("lives", flush=True)
"""


def test_a_subscriber_with_heartbeats_that_is_reset_while_the_service_is_behind_ends_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVICE], stdin=-1, stdout=-1, text=True) as service:
        assert service.stdin is not None
        assert service.stdout is not None
        connection = zmtp(service.stdout.readline().strip(), b"SUB")
        subscription, ping = b"\x00\x03\x01ab", b"\x04\x0b\x04PING\x00\x64abcd"
        connection.sendall((10 * subscription + ping) * 300)
        time.sleep(0.3)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        time.sleep(0.2)
        service.stdin.write("\n")
        service.stdin.flush()
        assert service.stdout.readline() == "lives\n"
        service.stdin.close()
        service.kill()
