import socket
from contextlib import suppress

import numpy as np
import pytest

from streamtag.errors import WireError
from streamtag.wire import PcmPusher, Publisher, Subscriber
from tests.wire.samples import scores


def machine_has_ipv6() -> bool:
    with suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def test_an_endpoint_may_be_of_ipv6_on_both_sides() -> None:
    blocks = []
    publisher = Publisher("tcp://[::1]:*", "tcp://[::1]:*", blocks.append)
    if not machine_has_ipv6():
        with pytest.raises(WireError, match="no such address"):
            publisher.start()
        return
    publisher.start()
    assert publisher.endpoint.startswith("tcp://[::1]:")
    publisher.publish([scores()])
    with Subscriber(publisher.endpoint) as subscriber:
        assert subscriber.receive(10) is not None
        with PcmPusher(publisher.input_endpoint) as pusher:
            pusher.push("porch", np.zeros(100, np.int16), 16000)
        publisher.publish([scores(patch=1)])
        assert subscriber.receive(10) is not None
    publisher.stop()
    assert [block.stream for block in blocks] == ["porch"]


def test_a_name_reaches_a_service_on_ipv4_though_it_has_an_address_of_ipv6_too() -> None:
    publisher = Publisher("tcp://127.0.0.1:*")
    publisher.start()
    publisher.publish([scores()])
    port = publisher.endpoint.rpartition(":")[2]
    with Subscriber(f"tcp://localhost:{port}") as subscriber:
        assert subscriber.receive(10) is not None
    publisher.stop()
