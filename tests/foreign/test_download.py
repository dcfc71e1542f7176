"""Models from real web servers, which break off, lie, redirect and have too much."""

import hashlib
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from streamtag.bundle import Bundle
from streamtag.cli import main
from streamtag.errors import ConfigError, SourceError
from streamtag.foreign.add import add_model
from streamtag.foreign.bundle_copy import pack_bundle
from streamtag.foreign.download import download
from tests.bundles import make_bundle
from tests.real.certificates import make_authority


class Shelf(ThreadingHTTPServer):
    """Serves one file.

    Attributes:
        content: the file.
        breaks_at: ends the connection after so many bytes, once; None: does not.
        etag: what the server calls the file.
        ranges: what was asked for.
        leads_to: where every address leads, instead of the file.
    """

    daemon_threads = True
    content = b""
    breaks_at: int | None = None
    etag = '"one"'
    leads_to = ""
    tells_length = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ranges: list[str | None] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Shelf
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        shelf = self.server
        wanted = self.headers.get("Range")
        shelf.ranges.append(wanted)
        if shelf.leads_to:
            self.send_response(302)
            self.send_header("Location", shelf.leads_to)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        begin = 0
        if wanted and self.headers.get("If-Range") == shelf.etag:
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
        rest = shelf.content[begin:]
        self.send_response(206 if begin else 200)
        self.send_header("ETag", shelf.etag)
        self.send_header("Connection", "close")
        if shelf.tells_length:
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: shelf.breaks_at])
        self.close_connection = True
        shelf.breaks_at = None

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with Shelf() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def bundle(tmp_path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bundle as one file on the shelf; its SHA-256."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = pack_bundle(Bundle(make_bundle(tmp_path / "tiny")), tmp_path / "tiny.streamtag")
    shelf.content = (tmp_path / "tiny.streamtag").read_bytes()
    return found


def left(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.name != "fastest.json"]


def test_a_bundle_is_added_by_its_address_and_hash_and_nothing_stays_behind(
    shelf: Shelf, bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "add", f"{shelf.address}/tiny.streamtag?token=x", "--sha256", bundle.upper()]) == 0
    assert capsys.readouterr().out.startswith("tiny\t")
    assert Bundle.open("tiny").name == "tiny"
    assert left(tmp_path) == []


def test_over_tls_no_hash_is_needed_and_the_certificate_is_verified(
    shelf: Shelf, bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = make_authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.good)
    shelf.socket = context.wrap_socket(shelf.socket, server_side=True)
    url = shelf.address.replace("http", "https")
    with pytest.raises(SourceError, match=r"(?i)certificate"):
        add_model(f"{url}/tiny.streamtag", None, lambda _: None)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    notes: list[str] = []
    add_model(f"{url}/tiny.streamtag", None, notes.append)
    assert bundle in notes[0]
    shelf.leads_to = "http://127.0.0.1/tiny.streamtag"
    with pytest.raises(SourceError, match="from https to an address that is not"):
        add_model(f"{url}/tiny.streamtag", "again", lambda _: None)


def test_what_broke_off_is_gone_on_with(shelf: Shelf, bundle: str) -> None:
    shelf.breaks_at = 700
    seen: list[tuple[int, int]] = []
    url = f"{shelf.address}/tiny.streamtag"
    with pytest.raises(SourceError, match=r"run it again to go on"):
        download(url, bundle, lambda *at: seen.append(at))
    path = download(url, bundle, lambda *at: seen.append(at))
    assert path.read_bytes() == shelf.content
    assert shelf.ranges == [None, "bytes=700-"]
    assert seen[-1] == (len(shelf.content), len(shelf.content))


def test_where_the_file_became_another_one_it_is_fetched_anew(shelf: Shelf, bundle: str) -> None:
    shelf.breaks_at = 700
    url = f"{shelf.address}/tiny.streamtag"
    with pytest.raises(SourceError):
        download(url, bundle, lambda *_: None)
    shelf.etag = '"two"'
    assert download(url, bundle, lambda *_: None).read_bytes() == shelf.content


def test_another_file_than_was_asked_for_is_not_added_and_not_kept(shelf: Shelf, bundle: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"its SHA-256 is {bundle} and not {'0' * 64}: nothing was added"):
        add_model(f"{shelf.address}/tiny.streamtag", None, lambda _: None, sha256="0" * 64)
    assert left(tmp_path) == []


@pytest.mark.parametrize("tells_length", [True, False])
def test_what_is_larger_than_it_may_be_is_not_taken(
    shelf: Shelf, bundle: str, tmp_path: Path, tells_length: bool
) -> None:
    shelf.tells_length = tells_length
    with pytest.raises(SourceError, match="GB"):
        download(f"{shelf.address}/tiny.streamtag", bundle, lambda *_: None, most=1000)
    assert sum(path.stat().st_size for path in (tmp_path / "cache" / "streamtag").rglob("*.part")) <= 1000


def test_without_tls_the_hash_must_be_given(shelf: Shelf) -> None:
    with pytest.raises(ConfigError, match="use https, or give --sha256"):
        add_model(f"{shelf.address}/tiny.streamtag", None, lambda _: None)
    assert shelf.ranges == []


def test_what_is_no_model_is_one_line(shelf: Shelf, tmp_path: Path, bundle: str) -> None:
    shelf.content = b"<html>log in first</html>"
    digest = hashlib.sha256(shelf.content).hexdigest()
    with pytest.raises(ConfigError, match=r"neither a \.streamtag file nor yamnet\.tflite"):
        add_model(f"{shelf.address}/tiny.streamtag", None, lambda _: None, sha256=digest)
    assert left(tmp_path) == []


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(SourceError, match="cannot be fetched") as error:
        add_model("https://user:secret@127.0.0.1:9/tiny.streamtag", None, lambda _: None)
    assert "secret" not in str(error.value)
