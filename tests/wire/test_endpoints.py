import socket
from contextlib import suppress
from queue import SimpleQueue

import numpy as np
import pytest

from streamtag.errors import WireError
from streamtag.wire import PcmInput, PcmPuller, PcmPusher, Publisher, Subscriber
from streamtag.wire.endpoints import reachable
from tests.wire.samples import scores


def machine_has_ipv6() -> bool:
    with suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def test_an_endpoint_may_be_of_ipv6_on_both_sides() -> None:
    blocks: SimpleQueue[PcmInput] = SimpleQueue()
    publisher, puller = Publisher("tcp://[::1]:*"), PcmPuller("tcp://[::1]:*", blocks.put)
    if not machine_has_ipv6():
        with pytest.raises(WireError, match="no such address"):
            publisher.start()
        return
    publisher.start()
    puller.start()
    assert publisher.endpoint.startswith("tcp://[::1]:")
    publisher.publish([scores()])
    with Subscriber(publisher.endpoint) as subscriber:
        assert subscriber.receive(10) is not None
    publisher.stop()
    with PcmPusher(puller.endpoint) as pusher:
        pusher.push("porch", np.zeros(100, np.int16), 16000)
    assert blocks.get(timeout=60).stream == "porch"
    puller.stop()


def test_a_name_reaches_a_service_on_ipv4_though_it_has_an_address_of_ipv6_too() -> None:
    publisher = Publisher("tcp://127.0.0.1:*")
    publisher.start()
    publisher.publish([scores()])
    port = publisher.endpoint.rpartition(":")[2]
    with Subscriber(f"tcp://localhost:{port}") as subscriber:
        assert subscriber.receive(10) is not None
    publisher.stop()


@pytest.mark.parametrize(
    ("told", "address", "expected"),
    [
        ("tcp://127.0.0.1:5557", "tcp://192.0.2.1:5556", "tcp://127.0.0.1:5557"),
        ("tcp://0.0.0.0:5557", "tcp://192.0.2.1:5556", "tcp://192.0.2.1:5557"),
        ("tcp://*:5557", "tcp://cellar:5556", "tcp://cellar:5557"),
        ("tcp://[::]:5557", "tcp://[2001:db8::1]:5556", "tcp://[2001:db8::1]:5557"),
        ("tcp://0.0.0.0:5557", "ipc:///run/scores", "tcp://127.0.0.1:5557"),
        ("ipc:///run/pcm", "tcp://192.0.2.1:5556", "ipc:///run/pcm"),
    ],
)
def test_an_input_for_all_addresses_is_where_the_messages_come_from(told: str, address: str, expected: str) -> None:
    assert reachable(told, address) == expected
