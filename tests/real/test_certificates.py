"""A server's certificate is verified before it hears anything, a password above all."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from streamtag.errors import SourceError
from streamtag.sources import open_source
from tests.real.certificates import Authority, TlsFront, make_authority, tls_front
from tests.real.conftest import Station
from tests.real.listening import Listener
from tests.real.servers import TcpServer
from tests.real.test_rude_servers import request_of, well

Front = Callable[[Path, int], TlsFront]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def front() -> Iterator[Front]:
    with ExitStack() as stack:
        yield lambda certificate, port: stack.enter_context(tls_front(certificate, port))


@pytest.fixture
def radio() -> Iterator[int]:
    with TcpServer(well) as server:
        yield server.port


@pytest.mark.parametrize("scheme", ["https", "rtsps", "HTTPS"])
@pytest.mark.parametrize(
    ("certificate", "trusts", "reason"),
    [
        ("selfmade", False, "self-signed certificate"),
        ("good", False, "unable to get local issuer certificate"),
        ("other_name", True, "ip address mismatch"),
    ],
)
def test_who_cannot_prove_his_name_gets_no_password(
    authority: Authority, front: Front, radio: int, scheme: str, certificate: str, trusts: bool, reason: str
) -> None:
    server = front(getattr(authority, certificate), radio)
    uri = f"{scheme}://user:secret@127.0.0.1:{server.server.port}/x"
    with Listener(uri, ca_file=str(authority.ca) if trusts else None) as listener:
        listener.wait_state("reconnecting")
        assert reason in listener.states[0][1]
        assert "not to be trusted" in listener.states[0][1]
        assert "ca_file" in listener.states[0][1]
        assert listener.blocks == []
    assert server.said == b""


@pytest.mark.parametrize("trusted", ["ca", "selfmade"])
def test_a_certificate_that_is_vouched_for_by_a_file_of_the_users_is_good(
    authority: Authority, front: Front, radio: int, trusted: str
) -> None:
    server = front(authority.selfmade if trusted == "selfmade" else authority.good, radio)
    uri = f"https://user:secret@127.0.0.1:{server.server.port}/x"
    with Listener(uri, ca_file=str(getattr(authority, trusted))) as listener:
        listener.wait_tone()


def test_a_certificate_is_good_where_the_environment_names_its_authority(
    authority: Authority, front: Front, radio: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    with Listener(f"https://127.0.0.1:{front(authority.good, radio).server.port}/x") as listener:
        listener.wait_tone()


def test_rtsp_over_tls_is_heard(authority: Authority, front: Front, rtsp: Station) -> None:
    port = int(rtsp.uri.rpartition(":")[2].partition("/")[0])
    uri = f"rtsps://user:secret@127.0.0.1:{front(authority.good, port).server.port}/tone"
    with Listener(uri, ca_file=str(authority.ca)) as listener:
        listener.wait_tone()


def test_each_piece_of_hls_comes_from_a_server_that_proved_its_name(
    authority: Authority, front: Front, hls: Station
) -> None:
    port = int(hls.uri.rpartition(":")[2].partition("/")[0])
    with Listener(
        f"https://user:secret@127.0.0.1:{front(authority.good, port).server.port}/tone.m3u8", ca_file=str(authority.ca)
    ) as listener:
        listener.wait_tone()
    false = front(authority.selfmade, port)
    playlist = (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttps://user:secret@127.0.0.1:{false.server.port}/tone0.ts\n"
    )

    def lead_astray(connection: socket.socket, number: int) -> None:
        request_of(connection)
        body = playlist.encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + body)

    with TcpServer(lead_astray) as server:
        honest = front(authority.good, server.port)
        uri = f"https://user:secret@127.0.0.1:{honest.server.port}/tone.m3u8"
        with Listener(uri, ca_file=str(authority.ca)) as listener:
            listener.wait_state("reconnecting", "stalled")
            assert listener.blocks == []
    assert false.said == b""
    assert b"GET /tone.m3u8" in honest.said


def test_a_certificate_file_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(SourceError, match="no such file"):
        open_source("https://127.0.0.1/x", ca_file="nowhere.pem")


def test_what_speaks_no_tls_is_called_so() -> None:
    def plain(connection: socket.socket, number: int) -> None:
        connection.recv(1)
        connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    with TcpServer(plain) as server, Listener(f"https://user:secret@127.0.0.1:{server.port}/x") as listener:
        listener.wait_state("reconnecting")
        assert "TLS" in listener.states[0][1]
