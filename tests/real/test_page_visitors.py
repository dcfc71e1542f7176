"""What visitors of the running page may try, and what others notice of it: nothing."""

import contextlib
import http.client
import random
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from scripts.attack.odd_requests import ROUTES, ask, odd_request, odd_socket
from streamtag.history.store import Begin, End, Store
from streamtag.settings import HistorySettings
from tests.real.browser import DEMO, Site

pytestmark = pytest.mark.timeout(300)

EVENTS = 20_000
ATTACKER, VISITOR = "127.0.0.66", "127.0.0.2"
PLAYING = f'[[stream]]\nid = "demo"\nsource = "file:{DEMO}"\nrealtime = true\nloop = true\n'
MEGABYTE = 1 << 20


def fill(path: Path) -> None:
    now = time.time() - EVENTS
    with contextlib.closing(Store(path, HistorySettings(path=str(path)), session="5e551011")) as store:
        for first in range(0, EVENTS, 1000):
            numbers = range(first, first + 1000)
            store.write([Begin(number, "porch", "Dog", now + number, float(number), 0.5) for number in numbers])
            store.write([End(number, number + 0.5, 0.75) for number in numbers])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("visited")
    fill(folder / "history.sqlite")
    (folder / "gradio").write_text("somebody else's")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TMPDIR", str(folder))
        with Site(folder, streams=PLAYING) as site:
            yield site
    assert list(folder.glob("streamtag-page-*")) != []  # it was killed; whoever comes next removes what is left
    assert "Traceback" not in site.page.log()


def address(site: Site) -> tuple[str, int]:
    return "127.0.0.1", site.port


def upload_head(site: Site) -> bytes:
    return (
        f"POST /streamtag/recording HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nContent-Length: 100000\r\n\r\n".encode()
    )


@pytest.fixture
def visitor(site: Site) -> Iterator[httpx.Client]:
    """Somebody honest, with an address of its own."""
    with httpx.Client(base_url=site.url, transport=httpx.HTTPTransport(local_address=VISITOR), timeout=30) as client:
        yield client


def memory(site: Site) -> int:
    """Return the bytes that the page and its processes have in memory."""
    page = psutil.Process(site.page.pid)
    return sum(int(each.memory_info().rss) for each in (page, *page.children(recursive=True)))


def seconds(visitor: httpx.Client) -> float:
    """Return how long the page takes for a search."""
    began = time.monotonic()
    assert visitor.get("/streamtag/history").status_code == 200
    return time.monotonic() - began


def send_many(socket_: ClientConnection, text: str, times: int) -> None:
    for _ in range(times):
        socket_.send(text)


def test_a_foreign_folder_is_not_needed(site: Site) -> None:
    (folder,) = site.folder.glob("streamtag-page-*")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (site.folder / "gradio").read_text() == "somebody else's"


@pytest.mark.parametrize("path", ROUTES)
def test_no_name_of_others_leads_to_the_page(visitor: httpx.Client, path: str) -> None:
    answer = visitor.request("POST" if "save" in path else "GET", path, headers={"Host": "evil.example"})
    assert answer.status_code == 403
    assert "evil.example" in answer.text


def test_every_answer_says_what_a_browser_may_do_with_it(visitor: httpx.Client) -> None:
    for path in ("/", "/login", "/none", "/streamtag/history", "/streamtag/static/main.js", "/api/v1/streams"):
        headers = visitor.get(path).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert "unsafe" not in policy["script-src"]
        assert (policy["default-src"], policy["frame-ancestors"], policy["form-action"]) == (
            "'none'",
            "'none'",
            "'self'",
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"


def test_requests_that_no_browser_sends_are_answered_without_a_fault(site: Site) -> None:
    """The log is looked at when the page ends."""
    host = f"127.0.0.1:{site.port}"

    def try_many(seed: int) -> list[tuple[bytes, bytes]]:
        dice = random.Random(seed)
        asked = [odd_request(dice, host) for _ in range(150)]
        answers = [(each, ask(address(site), iter([each]), f"127.0.1.{seed}")) for each in asked]
        answers += [(b"socket", ask(address(site), odd_socket(dice, host), f"127.0.1.{seed}")) for _ in range(50)]
        return answers

    with ThreadPoolExecutor(4) as pool:
        answers = [each for some in pool.map(try_many, range(1, 5)) for each in some]
    faults = [each for each in answers if each[1][9:10] == b"5" and each[1][9:12] != b"503"]
    assert faults == []
    assert sum(each[1][9:12] == b"200" for each in answers) > 30


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"])
@pytest.mark.parametrize("path", ["/", "/streamtag/history/export?form=csv", "/api/v1/events/stream"])
@pytest.mark.parametrize("waits", [False, True])
def test_nonsense_in_the_body_of_a_request_ends_the_connection_and_leaves_no_traceback(
    site: Site, path: str, host: str, waits: bool
) -> None:
    head = f"GET {path} HTTP/1.1\r\nHost: {host}:{site.port}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    log = len(site.page.log())
    with socket.create_connection(address(site), 60) as connection:
        connection.sendall(head if waits else head + b"nonsense\r\n")
        if waits:
            assert connection.recv(16).startswith(b"HTTP/1.1 ")
            connection.sendall(b"nonsense\r\n")
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(1 << 16):
                pass
    assert "Traceback" not in site.page.log()[log:]


def test_somebody_who_asks_for_ever_new_views_is_cut_off(site: Site, visitor: httpx.Client) -> None:
    before = memory(site)
    with connect(site.url.replace("http", "ws") + "streamtag/live", source_address=(ATTACKER, 0)) as socket_:
        with pytest.raises(ConnectionClosed):
            send_many(socket_, '{"watch": "demo"}', 200_000)
        assert seconds(visitor) < 10
    assert memory(site) - before < 100 * MEGABYTE


def test_thirty_tables_at_once_take_little_memory(site: Site, visitor: httpx.Client) -> None:
    before = memory(site)

    def export(number: int) -> tuple[int, int]:
        asked = http.client.HTTPConnection("127.0.0.1", site.port, timeout=120, source_address=(ATTACKER, 0))
        with contextlib.closing(asked):
            asked.request("GET", f"/streamtag/history/export?form={('csv', 'audacity', 'raven')[number % 3]}")
            answer = asked.getresponse()
            return answer.status, answer.read().count(b"\n")

    with ThreadPoolExecutor(30) as pool:
        exports = [pool.submit(export, number) for number in range(30)]
        assert seconds(visitor) < 20
        found = [each.result() for each in exports]
    assert all(status in (200, 503) for status, _ in found)
    assert sum(status == 200 and lines >= EVENTS for status, lines in found) >= 8
    assert memory(site) - before < 100 * MEGABYTE


def is_over(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(4096) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_slow_ones_keep_nobody_waiting_and_are_let_go(site: Site, visitor: httpx.Client) -> None:
    """Idle connections, heads and bodies that never end, and readers that do not read, more than there are places."""
    host = f"Host: 127.0.0.1:{site.port}\r\n".encode()
    log = len(site.page.log())
    with ExitStack() as stack:

        def open_one(first: bytes) -> socket.socket:
            made = stack.enter_context(socket.create_connection(address(site), 10, (ATTACKER, 0)))
            made.sendall(first)
            return made

        idle = [open_one(b"") for _ in range(1100)]
        heads = [open_one(b"GET / HTTP/1.1\r\n" + host + b"X: ") for _ in range(20)]
        uploads = [open_one(upload_head(site) + b"x") for _ in range(12)]
        stuck = [open_one(b"GET /assets/x HTTP/1.1\r\n" + host + b"Content-Length: 9\r\n\r\n") for _ in range(20)]
        assert seconds(visitor) < 10
        assert 0 < len(list(site.folder.glob("streamtag-page-*/file-*"))) <= 8
        tagged = visitor.post("/streamtag/recording", content=DEMO.read_bytes()[:50_000], timeout=120)
        assert tagged.status_code == 200, tagged.text
        waiting = {*idle, *heads, *uploads, *stuck}
        deadline = time.monotonic() + 60
        while waiting and time.monotonic() < deadline:
            waiting -= {each for each in waiting if is_over(each)}
            for each in waiting & set(heads):
                with contextlib.suppress(OSError):
                    each.send(b"x")
            time.sleep(0.2)
    assert waiting == set()
    assert len(site.page.log()) - log < 2000
