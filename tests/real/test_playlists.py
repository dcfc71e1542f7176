"""Playlists given as the stream lead to it, and nowhere else."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamtag.errors import SourceError
from streamtag.sources import open_source
from streamtag.sources.reach import Reach
from streamtag.sources.reasons import ReadError
from tests.real.listening import Listener
from tests.real.servers import TcpServer, program_path
from tests.real.test_rude_servers import Treatment, request_of, well

Serve = Callable[[dict[str, str | bytes]], TcpServer]
"""Starts a server of texts by their paths; `%d` in them stands for its port."""


@pytest.fixture
def radio() -> Iterator[str]:
    with TcpServer(well) as server:
        yield f"127.0.0.1:{server.port}"


def serving(pages: dict[str, str | bytes], asked: list[str]) -> Treatment:
    def treat(connection, number):  # type: ignore[no-untyped-def]
        path = request_of(connection).split()[1].decode()
        asked.append(path)
        page = pages.get(path.partition("?")[0])
        body = page.encode() if isinstance(page, str) else page
        status = b"404 Not Found" if body is None else b"200 OK"
        body = body or b""
        connection.sendall(
            b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
        )

    return treat


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/a.m3u", "http://RADIO/x\n"),
        ("/a.M3U", "#EXTM3U\r\n#EXTINF:-1,Radio\r\nHTTP://RADIO/x\r\n"),
        ("/a.pls", "[playlist]\nFile1=http://RADIO/x\nNumberOfEntries=1\n"),
        ("/a.asx", '<asx version="3.0"><entry><ref href="http://RADIO/x"/></entry></asx>'),
        ("/listen", "[playlist]\nFile1=http://RADIO/x\n"),
        ("/a.m3u?again", "b.pls"),
    ],
)
def test_a_playlist_is_followed_to_its_stream(radio: str, path: str, text: str) -> None:
    pages = {path.partition("?")[0]: text.replace("RADIO", radio), "/b.pls": f"[playlist]\nFile1=http://{radio}/x\n"}
    with (
        TcpServer(serving(pages, [])) as server,
        Listener(f"http://user:secret@127.0.0.1:{server.port}{path}") as listener,
    ):
        listener.wait_tone()


def test_a_playlist_of_the_users_own_is_followed_where_it_is_the_source(radio: str, tmp_path: Path) -> None:
    path = tmp_path / "radio.PLS"
    path.write_text(f"[playlist]\nFile1=song.mp3\nFile2=HTTP://user:secret@{radio}/x\n")
    with Listener(str(path)) as listener:
        listener.wait_tone()
    path.write_text("[playlist]\nFile1=song.mp3\n")
    with Listener(str(path)) as listener:
        listener.wait_state("reconnecting")
        assert "names no stream" in listener.states[0][1]


def test_a_playlist_that_is_tagged_or_uploaded_as_a_recording_leads_to_no_server(tmp_path: Path) -> None:
    with TcpServer(well) as server:
        path = tmp_path / "radio.m3u"
        path.write_text(f"#EXTM3U\nhttp://127.0.0.1:{server.port}/x\n")
        with pytest.raises(SourceError), open_source(f"file:{path}") as source:
            next(iter(source))
        assert server.connections == 0


@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        ({"/a.m3u": "a.m3u"}, "circle"),
        ({"/a.m3u": "b.m3u", "/b.m3u": "a.m3u"}, "circle"),
        ({f"/{number}.m3u": f"{number + 1}.m3u" for number in range(20)} | {"/a.m3u": "0.m3u"}, "more than"),
        ({"/a.m3u": "#EXTM3U\nfile:///etc/passwd\n"}, "another kind of source"),
        ({"/a.m3u": "#EXTM3U\nconcat:/etc/passwd\n"}, "another kind of source"),
        ({"/a.m3u": "#EXTM3U\nb.m3u\n", "/b.m3u": "#EXTM3U\n"}, "names no stream"),
        ({"/a.m3u": "<html>hello</html>"}, "not audio"),
        ({}, "404"),
    ],
)
def test_a_playlist_that_leads_nowhere_is_told_plainly(pages: dict[str, str | bytes], reason: str) -> None:
    asked: list[str] = []
    with (
        TcpServer(serving(pages, asked)) as server,
        Listener(f"http://user:secret@127.0.0.1:{server.port}/a.m3u") as listener,
    ):
        listener.wait_state("reconnecting")
        assert reason in listener.states[0][1]
        assert "secret" not in repr(listener.states)
    assert len(asked) < 20


def test_an_endless_playlist_is_left_after_a_while() -> None:
    def endless(connection, number):  # type: ignore[no-untyped-def]
        request_of(connection)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n#EXTM3U\n")
        while True:
            connection.sendall(b"#" * 65536)

    with TcpServer(endless) as server, Listener(f"http://127.0.0.1:{server.port}/a.m3u") as listener:
        listener.wait_state("reconnecting", "stalled")
        assert listener.blocks == []


@pytest.mark.parametrize(
    ("origin", "target", "allowed"),
    [
        ("http://93.184.216.34/a.m3u", "http://93.184.216.35/x", True),
        ("http://93.184.216.34/a.m3u", "http://127.0.0.1/x", False),
        ("http://93.184.216.34/a.m3u", "http://[::ffff:127.0.0.1]/x", False),
        ("http://93.184.216.34/a.m3u", "http://169.254.169.254/latest", False),
        ("http://93.184.216.34/a.m3u", "http://192.168.1.1/x", False),
        ("http://93.184.216.34/a.m3u", "http://[::1]/x", False),
        ("http://93.184.216.34/a.m3u", "http://0.0.0.0/x", False),
        ("http://93.184.216.34/a.m3u", "http://2130706433/x", False),
        ("http://192.168.1.1/a.m3u", "http://192.168.1.2/x", True),
        ("http://192.168.1.1/a.m3u", "http://localhost/x", False),
        ("http://127.0.0.1/a.m3u", "http://127.0.0.2/x", True),
        ("http://127.0.0.1/a.m3u", "file:///etc/passwd", False),
    ],
)
def test_a_server_leads_no_further_inward_than_it_stands(origin: str, target: str, allowed: bool) -> None:
    reach = Reach(origin)
    if allowed:
        reach.check(target, ("http",))
        return
    with pytest.raises(ReadError):
        reach.check(target, ("http",))


def test_of_hls_with_variants_only_the_sound_is_fetched(tmp_path: Path) -> None:
    make = [program_path("ffmpeg"), "-v", "error", "-f", "lavfi", "-i", "sine=440:duration=6:sample_rate=48000"]
    subprocess.run(
        [*make, "-c:a", "aac", "-hls_time", "2", "-hls_list_size", "0", "-f", "hls", "sound.m3u8"],
        cwd=tmp_path,
        check=True,
    )
    pages: dict[str, str | bytes] = {f"/{path.name}": path.read_bytes() for path in tmp_path.iterdir()}
    variants = "".join(
        f'#EXT-X-STREAM-INF:BANDWIDTH={number}00000,RESOLUTION=640x360,CODECS="avc1.42,mp4a.40.2",AUDIO="a"\n'
        f"picture{number}.m3u8\n"
        for number in range(1, 6)
    )
    sound = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",DEFAULT=YES,URI="sound.m3u8"\n'
    pages["/film.m3u8"] = "#EXTM3U\n" + sound + variants
    asked: list[str] = []
    with (
        TcpServer(serving(pages, asked)) as server,
        Listener(f"http://127.0.0.1:{server.port}/film.m3u8") as listener,
    ):
        listener.wait_end()
        assert listener.heard_seconds() == pytest.approx(6.0, abs=0.2)
    assert [path for path in asked if "picture" in path] == []
