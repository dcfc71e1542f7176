"""A name server that gives one address to who looks, and another one to who connects."""

import socket

import pytest

from streamtag.sources import Timeouts
from tests.real.listening import Listener
from tests.real.servers import TcpServer
from tests.real.test_rude_servers import well

OUTSIDE = "192.0.2.1"  # nobody's, of RFC 5737
SHORT = Timeouts(open_seconds=0.3, read_seconds=0.3, first_delay=0.1, longest_delay=0.2)


@pytest.fixture
def rebinding(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Python finds `localhost` to be, one look after the other; FFmpeg asks the system, and finds this machine."""
    answers: list[str] = []
    look = socket.getaddrinfo

    def find(host: str, *given: object, **named: object) -> object:
        if host == "localhost":
            host = answers.pop(0) if len(answers) > 1 else answers[0]
        return look(host, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", find)
    return answers


@pytest.mark.parametrize("path", ["http://localhost:%d/x", "http://localhost:%d/x.m3u8", "rtsp://localhost:%d/x"])
def test_nothing_goes_to_this_machine_under_a_name_that_was_found_elsewhere(rebinding: list[str], path: str) -> None:
    rebinding += [OUTSIDE, OUTSIDE, OUTSIDE, "127.0.0.1"]
    with TcpServer(well) as inner, Listener(path % inner.port, timeouts=SHORT) as listener:
        told = 0
        while not told or "its name leads into this machine or network" not in listener.states[told - 1][1]:
            told = listener.wait_state("reconnecting", "stalled", after=told)
        assert inner.connections == 0
