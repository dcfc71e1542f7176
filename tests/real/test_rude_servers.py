"""Servers that refuse, hang, break off, lie or talk nonsense: the reason is plain, and the source comes back."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamtag.errors import SourceError
from streamtag.sources import Timeouts
from tests.media import encode, spoil_first_track, two_tracks
from tests.ports import free_port
from tests.real.conftest import Station
from tests.real.listening import AT_ONCE, Listener, tone_share
from tests.real.servers import TcpServer, pump, wait_until
from tests.sounds import noise, tone, write

RATE = 48000
OK = b"HTTP/1.0 200 OK\r\nContent-Type: audio/wav\r\n\r\n"
Treatment = Callable[[socket.socket, int], None]


def wav_header(data_bytes: int = 0xFFFFFFFF) -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    return b"RIFF\xff\xff\xff\xffWAVE" + form + b"data" + struct.pack("<I", data_bytes)


def request_of(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data and (more := connection.recv(4096)):
        data += more
    return data


def play(connection: socket.socket, seconds: float) -> None:
    """Send the tone of the last seconds, as radio servers do, and then more at the pace of the clock."""
    pcm = (tone(1.0, rate=RATE) * 32767).astype("<i2").tobytes()
    connection.sendall(5 * pcm)
    step = len(pcm) // 20
    for i in range(round(seconds * 20)):
        connection.sendall(pcm[i % 20 * step :][:step])
        time.sleep(0.05)


def well(connection: socket.socket, number: int) -> None:
    request_of(connection)
    connection.sendall(OK + wav_header())
    play(connection, 60)


def hung(connection: socket.socket, number: int) -> None:
    connection.recv(1)
    threading.Event().wait(20)


def half_open(connection: socket.socket, number: int) -> None:
    request_of(connection)
    connection.sendall(OK + wav_header())
    play(connection, 1.2)
    threading.Event().wait(20)


def reset(connection: socket.socket, number: int) -> None:
    request_of(connection)
    connection.sendall(OK + wav_header())
    play(connection, 1.2)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def ends(connection: socket.socket, number: int) -> None:
    request_of(connection)
    connection.sendall(OK + wav_header())
    play(connection, 1.2)


def garbage(connection: socket.socket, number: int) -> None:
    request_of(connection)
    connection.sendall(OK)
    while True:
        connection.sendall(np.random.default_rng(0).bytes(50000))


def answer(status: str) -> Treatment:
    def treat(connection: socket.socket, number: int) -> None:
        request_of(connection)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

    return treat


def then_well(first: Treatment) -> Treatment:
    return lambda connection, number: (well if number else first)(connection, number)


@pytest.mark.parametrize(
    ("treatment", "state", "reason"),
    [
        (hung, "stalled", "no a"),
        (half_open, "stalled", "no audio for 1.5 s"),
        (reset, "reconnecting", "connection reset"),
        (ends, "reconnecting", "the connection broke off"),
        (garbage, "reconnecting", "not audio"),
        (answer("404 Not Found"), "reconnecting", "404"),
        (answer("401 Unauthorized"), "reconnecting", "refuses"),
        (answer("503 Busy"), "reconnecting", "server"),
    ],
    ids=["hung", "half-open", "reset", "ends", "garbage", "404", "401", "503"],
)
def test_a_rude_http_server_is_told_plainly_and_tried_again(treatment: Treatment, state: str, reason: str) -> None:
    with (
        TcpServer(then_well(treatment)) as server,
        Listener(f"http://user:secret@127.0.0.1:{server.port}/x?token=abcdef") as listener,
    ):
        failed = listener.wait_state(state)
        assert reason in listener.states[failed - 1][1]
        listener.wait_state("live", after=failed)
        listener.wait_audio(0.3)
        assert tone_share(listener.blocks[-1]) > 0.9
        shown = repr(listener.states) + listener.source.name
        assert "secret" not in shown
        assert "abcdef" not in shown


def rtsp_answer(connection: socket.socket, *lines: str) -> bool:
    """Wait for a request and answer it; whether one came."""
    request = request_of(connection).decode()
    number = next((line for line in request.splitlines() if line.lower().startswith("cseq")), "")
    connection.sendall("\r\n".join(["RTSP/1.0 200 OK", number, *lines, "", ""]).encode())
    return bool(request)


def hung_after_the_greeting(connection: socket.socket, number: int) -> None:
    rtsp_answer(connection, "Public: DESCRIBE")
    threading.Event().wait(20)


def leaves(connection: socket.socket, number: int) -> None:
    request_of(connection)


@pytest.mark.parametrize(
    ("scheme", "treatment"),
    [("rtsp", hung), ("rtsp", hung_after_the_greeting), ("rtsps", hung), ("http", hung), ("https", hung)],
)
def test_a_server_that_does_not_answer_is_called_so_and_tried_again(scheme: str, treatment: Treatment) -> None:
    with TcpServer(treatment) as server, Listener(f"{scheme}://user:secret@127.0.0.1:{server.port}/x") as listener:
        listener.wait_state("stalled", "reconnecting")
        state, reason = listener.states[0]
        assert state == "stalled"
        assert reason.startswith("no a")  # no answer, or no audio
        wait_until(lambda: server.connections >= 2, 60, "another try")
        assert "secret" not in repr(listener.states)


def test_how_long_a_server_may_take_is_what_was_asked_for(rtsp: Station) -> None:
    port = int(rtsp.uri.rpartition(":")[2].partition("/")[0])

    def slow(connection: socket.socket, number: int) -> None:
        time.sleep(4.5)  # `HASTE` waits 3.5 s for a connection
        with socket.create_connection(("127.0.0.1", port)) as inner:
            pump(connection, inner, lambda _: None)

    patient = Timeouts(open_seconds=15, read_seconds=15)
    with TcpServer(slow) as server:
        uri = f"rtsp://127.0.0.1:{server.port}/tone"
        with Listener(uri) as listener:
            listener.wait_state("stalled")
        with Listener(uri, timeouts=patient) as listener:
            listener.wait_tone()
            assert listener.states == [("live", "")]


def test_a_server_that_knows_no_rtsp_is_called_so() -> None:
    with TcpServer(leaves) as server, Listener(f"rtsp://127.0.0.1:{server.port}/x") as listener:
        listener.wait_state("reconnecting")
        assert listener.states[0][1] == "the server ends the connection, or does not speak RTSP"


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_refused_connection_is_told_plainly(scheme: str) -> None:
    with Listener(f"{scheme}://user:secret@127.0.0.1:{free_port()}/x", timeouts=Timeouts()) as listener:
        listener.wait_state("reconnecting")
        assert listener.states == [("reconnecting", "connection refused")]


@pytest.mark.parametrize(
    "uri", ["http://H/x", "https://H/x", "rtsp://H/x", "rtsps://H/x", "udp://H:1234", "http://H/x.m3u"]
)
def test_a_host_that_does_not_exist_is_called_so_and_tried_again(uri: str) -> None:
    with Listener(uri.replace("H", "user:secret@no-such-host.invalid"), timeouts=Timeouts()) as listener:
        listener.wait_state("reconnecting")
        assert listener.states[0][1] == "there is no host of that name, or no name server answers"
        assert listener.blocks == []


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_closing_does_not_wait_for_a_hung_server(scheme: str) -> None:
    uri = "{}://127.0.0.1:{}/x"
    with TcpServer(hung) as server, Listener(uri.format(scheme, server.port), timeouts=Timeouts()) as listener:
        while not server.connections:
            time.sleep(0.01)
        listener.source.close()
        listener.wait_end(AT_ONCE)


def serve_file(data: bytes, cut_first_at: int | None = None) -> Treatment:
    """A file server that knows byte ranges; the first answer may break off."""

    def treat(connection: socket.socket, number: int) -> None:
        request = request_of(connection)
        begin = int(request.split(b"bytes=")[1].split(b"-")[0]) if b"bytes=" in request else 0
        head = f"HTTP/1.1 206 Partial\r\nContent-Range: bytes {begin}-{len(data) - 1}/{len(data)}\r\n"
        head += f"Accept-Ranges: bytes\r\nContent-Length: {len(data) - begin}\r\nConnection: close\r\n\r\n"
        end = cut_first_at if number == 0 and cut_first_at else len(data)
        connection.sendall(head.encode() + data[begin:end])

    return treat


@pytest.mark.parametrize("cut", [None, 300_000], ids=["whole", "broken off once"])
def test_a_recording_on_a_web_server_is_read_once_and_whole(tmp_path: Path, cut: int | None) -> None:
    sound = noise(40.0)
    data = write(tmp_path / "a.wav", sound, subtype="PCM_16").read_bytes()
    with (
        TcpServer(serve_file(data, cut)) as server,
        Listener(f"http://127.0.0.1:{server.port}/a.wav") as listener,
    ):
        listener.wait_end()
        assert listener.error is None
        heard = np.concatenate([block.samples for block in listener.blocks])[:, 0]
        np.testing.assert_array_equal(heard, np.frombuffer(data[44:], "<i2"))
        assert listener.jumps() == []
        assert listener.states == [("live", "")]


def test_an_rtp_description_without_a_sender_is_stalled(tmp_path: Path) -> None:
    description = tmp_path / "a.sdp"
    description.write_text(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {free_port(socket.SOCK_DGRAM)} RTP/AVP 0\r\n"
    )
    with Listener(f"sdp:{description}") as listener:
        listener.wait_state("stalled")
        assert listener.blocks == []


@pytest.mark.parametrize("kind", ["has no decoder", "cannot be decoded"])
def test_of_a_stream_s_tracks_the_first_that_can_be_decoded_is_heard(tmp_path: Path, kind: str) -> None:
    path = two_tracks(tmp_path / "a.mka", "-c:a:0", "aac", "-c:a:1", "flac")
    if kind == "has no decoder":
        path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_XYZ"))
    else:
        path = spoil_first_track(path, tmp_path / "b.mka")
    with TcpServer(serve_file(path.read_bytes())) as server, Listener(f"http://127.0.0.1:{server.port}/a") as listener:
        listener.wait_end()
        assert listener.error is None
        assert sum(len(block.samples) for block in listener.blocks) == 2 * 16000


def test_a_recording_that_goes_on_in_another_way_is_not_read_again_and_again(tmp_path: Path) -> None:
    parts = [encode(tmp_path / f"{rate}.ogg", "-c:a", "libvorbis", rate=rate).read_bytes() for rate in (48000, 22050)]
    with TcpServer(serve_file(b"".join(parts))) as server, Listener(f"http://127.0.0.1:{server.port}/a") as listener:
        listener.wait_end()
        assert listener.states == [("live", "")]
        assert isinstance(listener.error, SourceError)
        assert "what follows cannot be read" in str(listener.error)
        assert listener.heard_seconds() == pytest.approx(1.0, abs=0.05)
