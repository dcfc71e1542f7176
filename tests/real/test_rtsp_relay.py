"""RTSP servers that lead to others: within their reach they are followed, and no word goes anywhere else."""

import re
import socket
from collections.abc import Callable

import pytest

from tests.real.listening import Listener
from tests.real.rtsp_words import RtspServer
from tests.real.servers import TcpServer

Answer = Callable[[str, bytes], str | None]


def moved(port: int, at: str) -> Answer:
    location = f"Location: RTSP://127.0.0.1:{port}/inner"
    return lambda method, request: f"RTSP/1.0 302 Moved\r\n{location}\r\n\r\n" if method == at else None


@pytest.mark.parametrize("at", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
def test_a_redirect_into_this_machine_is_refused_and_followed_where_it_is_allowed(at: str) -> None:
    inner = RtspServer()
    with TcpServer(inner) as secret, TcpServer(RtspServer(moved(secret.port, at))) as server:
        uri = f"rtsp://user:secret@127.0.0.1:{server.port}/tone"
        with Listener(uri) as listener:
            listener.wait_state("reconnecting")
            assert f'(to let it: leads_to = ["127.0.0.1:{secret.port}"])' in listener.states[0][1]
            assert "user" not in listener.states[0][1]
        assert secret.connections == 0
        with Listener(uri, leads_to=(f"127.0.0.1:{secret.port}",)) as listener:
            listener.wait_tone()
        assert inner.asked[0].startswith(f"OPTIONS rtsp://127.0.0.1:{secret.port}/inner RTSP/1.0")


def test_a_redirect_of_its_own_server_is_followed_and_one_in_a_circle_is_left() -> None:
    server = RtspServer()
    with TcpServer(server) as station:
        away = f"RTSP/1.0 301 Moved\r\nLocation: rtsp://127.0.0.1:{station.port}/there\r\n\r\n"
        server.answer = lambda method, request: None if b"/there" in request else away
        uri = f"rtsp://127.0.0.1:{station.port}/here"
        with Listener(uri) as listener:
            listener.wait_tone()
        server.answer = lambda method, request: away
        with Listener(uri) as listener:
            listener.wait_state("reconnecting")
            assert "more than 8 times" in listener.states[0][1]


def test_a_redirect_to_another_kind_of_source_is_refused() -> None:
    reply = "RTSP/1.0 302 Moved\r\nLocation: http://127.0.0.1/inner\r\n\r\n"
    hostile = RtspServer(lambda method, request: reply)
    with TcpServer(hostile) as server, Listener(f"rtsp://127.0.0.1:{server.port}/tone") as listener:
        listener.wait_state("reconnecting")
        assert "another kind of source" in listener.states[0][1]


@pytest.mark.parametrize("challenge", ['Digest realm="a, b", nonce="n", qop="auth"', 'Digest realm="r", nonce="n"'])
def test_a_server_is_asked_by_its_own_address_and_hears_a_password_signed_for_it(challenge: str) -> None:
    def answer(method: str, request: bytes) -> str | None:
        if b"Authorization:" in request:
            return None
        return f"RTSP/1.0 401 No\r\nWWW-Authenticate: {challenge}\r\n\r\n"

    server = RtspServer(answer)
    with TcpServer(server) as station, Listener(f"rtsp://user:sec%20ret@localhost:{station.port}/a?b=c") as listener:
        listener.wait_tone()
        asked = [request for request in server.asked if "Authorization" in request]
        for request in asked:
            address = request.split()[1]
            assert address.startswith(f"rtsp://localhost:{station.port}/a?b=c")
            assert f'uri="{address}"' in request
            assert not re.search(r"127\.0\.0\.1|sec.ret", request)


@pytest.mark.parametrize("source", ["", ";source=169.254.0.1", ";source=localhost;destination=127.0.0.9"])
def test_reports_go_by_udp_to_the_server_and_nowhere_inward(source: str) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as media:
        media.bind(("127.0.0.1", 0))
        media.settimeout(10)
        port = media.getsockname()[1]

        def answer(method: str, request: bytes) -> str | None:
            if method != "SETUP":
                return None
            if b"TCP" in request:
                return "RTSP/1.0 461 Unsupported Transport\r\n\r\n"
            ports = re.search(rb"client_port=([\d-]+)", request)
            transport = f"RTP/AVP/UDP;unicast{source};client_port={ports[1].decode() if ports else ''}"
            return f"RTSP/1.0 200 OK\r\nSession: 1\r\nTransport: {transport};server_port={port}-{port + 1}\r\n\r\n"

        with TcpServer(RtspServer(answer)) as server, Listener(f"rtsp://127.0.0.1:{server.port}/tone"):
            assert media.recvfrom(2048)[1][0] == "127.0.0.1"
