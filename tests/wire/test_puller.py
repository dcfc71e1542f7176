import socket
import time
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

import pytest
import zmq

from streamtag.errors import WireError
from streamtag.wire import PcmBlock, PcmEnd, PcmFault, PcmInput, PcmPuller, PcmPusher
from tests.wire.test_pcm_messages import FOUR_BYTES, header


def test_pcm_of_many_pushers_keeps_its_order_for_each(puller: PcmPuller, pcm: SimpleQueue[Any]) -> None:
    pushers = [PcmPusher(puller.endpoint) for _ in range(3)]
    for number in range(100):
        for name, pusher in enumerate(pushers):
            pusher.end(f"{name}-{number}")
    found = [pcm.get(timeout=60) for _ in range(300)]
    for pusher in pushers:
        pusher.close()
    for name in range(3):
        mine = [end for end in found if end.stream.startswith(f"{name}-")]
        assert mine == [PcmEnd(f"{name}-{number}") for number in range(100)]


def test_a_bad_message_is_counted_and_the_next_good_one_taken(puller: PcmPuller, pcm: SimpleQueue[Any]) -> None:
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.connect(puller.endpoint)
        socket.send_multipart([header(), FOUR_BYTES[:3]])
        socket.send_multipart([b"", b"", b"", b""])
        socket.send_multipart([header(), FOUR_BYTES])
        found = [pcm.get(timeout=60) for _ in range(3)]
    assert [type(one) for one in found] == [PcmFault, PcmFault, PcmBlock]
    assert (puller.messages, puller.faults) == (3, 2)


def test_a_failing_callback_does_not_end_the_input(caplog: pytest.LogCaptureFixture) -> None:
    seen: SimpleQueue[Any] = SimpleQueue()

    def fail_first(pcm: PcmInput) -> None:
        seen.put(pcm)
        if pcm.stream == "bad":
            raise RuntimeError("not this one")

    puller = PcmPuller("tcp://127.0.0.1:*", fail_first)
    puller.start()
    with PcmPusher(puller.endpoint) as pusher:
        for stream in ("bad", "good"):
            pusher.end(stream)
        assert [seen.get(timeout=60).stream for _ in range(2)] == ["bad", "good"]
    puller.stop()
    assert "PCM of stream bad" in caplog.text


def test_a_giant_frame_ends_its_connection_and_leaves_other_pushers_alone(
    puller: PcmPuller, pcm: SimpleQueue[Any]
) -> None:
    with zmq.Context() as context, context.socket(zmq.PUSH) as giant, PcmPusher(puller.endpoint) as pusher:
        giant.linger = 0
        events = giant.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        giant.connect(puller.endpoint)
        giant.send_multipart([header(), bytes(17 << 20)])
        with events:
            assert events.poll(10_000)
        pusher.end("porch")
        assert pcm.get(timeout=60) == PcmEnd("porch")
    assert puller.messages == 1


def test_a_thread_that_fails_takes_pcm_again_at_the_same_endpoint(
    puller: PcmPuller, pcm: SimpleQueue[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    take_waiting, rest = PcmPuller._receive_waiting, [1]

    def break_down_once(self: PcmPuller) -> None:
        rest.pop() and 1 / 0 if rest else take_waiting(self)

    monkeypatch.setattr(PcmPuller, "_receive_waiting", break_down_once)
    endpoint = puller.endpoint
    with PcmPusher(endpoint, timeout_seconds=20) as pusher:
        pusher.end("lost")
        while pcm.empty():
            pusher.end("porch")
        assert pcm.get().stream == "porch"
    assert (puller.endpoint, puller.restarts) == (endpoint, 1)
    assert "the thread input failed and is made anew" in caplog.text


@pytest.mark.timeout(60)
def test_a_push_that_waits_tries_again_after_another_program_answered_at_the_port(pcm: SimpleQueue[Any]) -> None:
    with PcmPusher("tcp://127.0.0.1:1", timeout_seconds=0.1) as nobody, pytest.raises(WireError, match=r"for 0\.1 s"):
        nobody.end("porch")
    with socket.create_server(("127.0.0.1", 0)) as another:
        endpoint = f"tcp://127.0.0.1:{another.getsockname()[1]}"
        pusher = PcmPusher(endpoint, timeout_seconds=30)
        connection, _ = another.accept()
        with connection, suppress(ConnectionResetError):
            # ZMTP 3's greeting of a server that asks for a password (RFC 23, section 3.2).
            connection.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"PLAIN".ljust(20, b"\0") + b"\x01" + bytes(31))
            while connection.recv(4096):  # until ZeroMQ has given this connection up, as it does for good
                pass
    puller = PcmPuller(endpoint, pcm.put)
    puller.start()
    with pusher:
        pusher.end("porch")
    assert pcm.get(timeout=60) == PcmEnd("porch")
    puller.stop()


def test_stopping_twice_does_no_harm_and_frees_the_port(puller: PcmPuller, pcm: SimpleQueue[Any]) -> None:
    puller.stop()
    puller.stop()
    again = PcmPuller(puller.endpoint, pcm.put)
    again.start()
    again.stop()


def test_messages_that_may_wait_are_taken_with_those_that_follow_and_all_the_same() -> None:
    taken: SimpleQueue[Any] = SimpleQueue()
    puller = PcmPuller("tcp://127.0.0.1:*", taken.put, may_rest=lambda: 10.0, longest_rest_seconds=0.5)
    puller.start()
    with PcmPusher(puller.endpoint) as pusher:
        for number in range(10):
            pusher.end(f"few-{number}")
            time.sleep(0.01)  # the pace of the clock is what is tried
        assert [taken.get(timeout=60).stream for _ in range(10)] == [f"few-{number}" for number in range(10)]
        assert puller.beats < 10
        for number in range(2000):
            pusher.end(f"many-{number}")
        assert [taken.get(timeout=60).stream for _ in range(2000)] == [f"many-{number}" for number in range(2000)]
    puller.stop()
