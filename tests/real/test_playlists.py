"""Playlists given as the stream lead to it, and nowhere else."""

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamtag.errors import SourceError
from streamtag.sources import open_source
from tests.real.listening import Listener
from tests.real.servers import TcpServer, program_path
from tests.real.test_rude_servers import OK, Treatment, play, request_of, wav_header, well
from tests.sounds import tone, write

Serve = Callable[[dict[str, str | bytes]], TcpServer]
"""Starts a server of texts by their paths; `%d` in them stands for its port."""


@pytest.fixture
def radio() -> Iterator[str]:
    with TcpServer(well) as server:
        yield f"127.0.0.1:{server.port}"


def serving(pages: dict[str, str | bytes], asked: list[str]) -> Treatment:
    def treat(connection: socket.socket, number: int) -> None:
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
    pages: dict[str, str | bytes] = {
        path.partition("?")[0]: text.replace("RADIO", radio),
        "/b.pls": f"[playlist]\nFile1=http://{radio}/x\n",
    }
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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-ENDLIST\n#EXTINF:2,\nsound.wav\n"),
        ("endless.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsound.wav\n"),
        ("a.wav", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsound.wav\n"),
        ("a.ffconcat", "ffconcat version 1.0\nfile a.ffconcat\nfile sound.wav\n"),
        ("a.pls", "[playlist]\nFile1=sound.wav\n"),
        ("a.mpd", '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>\n'),
        ("a.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n"),
    ],
)
def test_a_file_that_lists_others_reads_none_of_them(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path / "sound.wav", tone(2.0))
    (tmp_path / name).write_text(text)
    with (
        pytest.raises(SourceError, match="it is a playlist or the like"),
        open_source(f"file:{tmp_path / name}") as source,
    ):
        next(iter(source))


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
    def endless(connection: socket.socket, number: int) -> None:
        request_of(connection)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n#EXTM3U\n")
        while True:
            connection.sendall(b"#" * 65536)

    with TcpServer(endless) as server, Listener(f"http://127.0.0.1:{server.port}/a.m3u") as listener:
        listener.wait_state("reconnecting", "stalled")
        assert listener.blocks == []


def redirecting(target: str, asked: list[str]) -> Treatment:
    def treat(connection: socket.socket, number: int) -> None:
        asked.append(request_of(connection).split()[1].decode())
        head = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())

    return treat


def test_a_redirect_into_this_machine_is_refused_and_followed_where_it_is_allowed(radio: str) -> None:
    asked: list[str] = []
    with TcpServer(redirecting(f"http://{radio}/x", asked)) as server:
        uri = f"http://127.0.0.1:{server.port}/live"
        with Listener(uri) as listener:
            listener.wait_state("reconnecting")
            assert f'(to let it: leads_to = ["{radio}"])' in listener.states[0][1]
            assert listener.blocks == []
        with Listener(uri, leads_to=(radio,)) as listener:
            listener.wait_tone()


def test_a_redirect_of_its_own_server_is_followed() -> None:
    def treat(connection: socket.socket, number: int) -> None:
        request = request_of(connection)
        if b"Authorization: Basic" not in request:
            connection.sendall(b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n')
        elif b"/moved" in request.split(b"\r\n")[0]:
            connection.sendall(OK + wav_header())
            play(connection, 60)
        else:
            connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /moved\r\nContent-Length: 0\r\n\r\n")

    with TcpServer(treat) as server, Listener(f"http://user:secret@127.0.0.1:{server.port}/live") as listener:
        listener.wait_tone()


@pytest.mark.parametrize("what", ["piece", "key", "redirected piece", "redirected playlist"])
def test_a_hostile_playlist_makes_this_machine_ask_none_of_its_services(what: str) -> None:
    inner: list[str] = []
    with TcpServer(serving({}, inner)) as secret:
        target = f"http://127.0.0.1:{secret.port}/inner"
        key = f'#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n' if what == "key" else ""
        piece = target if what == "piece" else "piece.ts"
        text = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n{key}#EXTINF:2,\n{piece}\n"
        pages: dict[str, str | bytes] = {"/a.m3u8": text, "/piece.ts": b"G" * 188}
        asked: list[str] = []

        def treat(connection: socket.socket, number: int) -> None:
            moved = {"redirected piece": b"/piece.ts", "redirected playlist": b"/a.m3u8"}.get(what, b"/none")
            head = connection.recv(4096, socket.MSG_PEEK)
            (redirecting(target, asked) if moved in head.split(b"\r\n")[0] else serving(pages, asked))(
                connection, number
            )

        with TcpServer(treat) as server, Listener(f"http://127.0.0.1:{server.port}/a.m3u8") as listener:
            listener.wait_state("reconnecting")
            assert len(asked) >= 1
            assert listener.blocks == []
    assert inner == []


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
