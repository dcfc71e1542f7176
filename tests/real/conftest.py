from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.ports import free_port
from tests.real.pulse import Pulse, pulse_server
from tests.real.servers import (
    Program,
    broadcast_by_icecast,
    encoder,
    file_server,
    rtsp_server,
    running,
    wait_until,
)


class Station:
    """A stream of sound: its URI, and the program whose death ends it."""

    def __init__(self, uri: str, program: Program) -> None:
        self.uri = uri
        self.program = program


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    """PulseAudio with one microphone named porch."""
    with pulse_server(tmp_path) as server:
        server.name_devices("porch")
        server.plug("porch")
        yield server


@pytest.fixture
def rtsp() -> Iterator[Station]:
    port = free_port()
    with running(server := rtsp_server(port, "opusenc ! rtpopuspay")):
        yield Station(f"rtsp://user:secret@127.0.0.1:{port}/tone", server)


@pytest.fixture
def rtsp_telephone() -> Iterator[Station]:
    """An old camera's sound: 8 kHz mu-law."""
    port = free_port()
    with running(server := rtsp_server(port, "audioresample ! mulawenc ! rtppcmupay")):
        yield Station(f"rtsp://127.0.0.1:{port}/tone", server)


@pytest.fixture
def rtsp_by_udp() -> Iterator[Station]:
    """A camera that refuses to send over its own connection."""
    port = free_port()
    with running(server := rtsp_server(port, "opusenc ! rtpopuspay", "--udp-only")):
        yield Station(f"rtsp://127.0.0.1:{port}/tone", server)


@pytest.fixture
def icecast() -> Iterator[Station]:
    port = free_port()
    mount = f"icecast://source:source@127.0.0.1:{port}/tone.mp3"
    source = encoder("-c:a", "libmp3lame", "-b:a", "64k", "-content_type", "audio/mpeg", "-f", "mp3", mount)
    # Started by root, Icecast becomes nobody, who may not enter pytest's own folders.
    with TemporaryDirectory(prefix="icecast") as folder, broadcast_by_icecast(Path(folder), port, source):
        yield Station(f"http://127.0.0.1:{port}/tone.mp3", source)


@pytest.fixture
def hls(tmp_path: Path) -> Iterator[Station]:
    port = free_port()
    playlist = tmp_path / "tone.m3u8"
    options = ["-hls_time", "1", "-hls_list_size", "4", "-hls_flags", "delete_segments+omit_endlist"]
    maker = encoder("-c:a", "aac", "-f", "hls", *options, playlist)
    with running(file_server(tmp_path, port), maker):
        wait_until(playlist.exists, 60, "the first HLS segment")
        yield Station(f"http://127.0.0.1:{port}/tone.m3u8", maker)


@pytest.fixture
def rtp(tmp_path: Path) -> Iterator[Station]:
    description = tmp_path / "tone.sdp"
    target = f"rtp://127.0.0.1:{free_port()}"
    with running(sender := encoder("-c:a", "libopus", "-f", "rtp", "-sdp_file", description, target)):
        wait_until(description.exists, 60, "the SDP file")
        yield Station(f"sdp:{description}", sender)


@pytest.fixture
def udp() -> Iterator[Station]:
    target = f"udp://127.0.0.1:{free_port()}"
    with running(sender := encoder("-c:a", "aac", "-f", "mpegts", target)):
        yield Station(target, sender)
