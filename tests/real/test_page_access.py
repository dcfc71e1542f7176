"""Every route of the running page, Gradio's too, from outside."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from streamtag.history.store import Store
from streamtag.settings import HistorySettings
from tests.real.browser import PageServer, configured
from tests.real.servers import wait_until

pytestmark = pytest.mark.timeout(300)

WRONG = [None, ("anna", "wrong horse"), ("bob", "correct horse"), ("anna", "")]
LIST = """
import json, sys
from pathlib import Path
from streamtag.dashboard.hosts import HostNames
from streamtag.dashboard.hub import Hub
from streamtag.dashboard.login import Logins
from streamtag.dashboard.server import build
from streamtag.settings import Config

read = []
sys.addaudithook(lambda event, told: read.append(str(told[0])) if event == "open" else None)

def paths(routes, prefix=""):
    for route in routes:
        path = prefix + getattr(route, "path", "")
        yield path or "/"
        inner = getattr(route, "original_router", route)
        yield from paths(getattr(inner, "routes", None) or [], path)

hub = Hub("tcp://127.0.0.1:1")
app = build(hub, Config(), logins=Logins(None, "x"), names=HostNames(), may_write=False, folder=Path(sys.argv[1]))
while not hasattr(app, "router"):
    app = app._app
stubs = [path for path in read if "gradio" in path and path.endswith(".pyi")]
print(json.dumps({"routes": sorted(set(paths(app.router.routes))), "stubs": stubs}))
"""


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What is told of a page that another process has built."""
    done = subprocess.run(
        [sys.executable, "-c", LIST, tmp_path_factory.mktemp("listed")], capture_output=True, text=True, check=True
    )
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def routes(listed: dict[str, list[str]]) -> list[str]:
    assert {"/", "/config", "/streamtag/history", "/streamtag/live", "/gradio_api/upload"} <= set(listed["routes"])
    return listed["routes"]


@pytest.fixture(scope="module")
def shut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    folder = tmp_path_factory.mktemp("shut")
    (folder / "password").write_text("correct horse\n")
    with PageServer(configured(folder), "--auth", f"anna:{folder / 'password'}") as server:
        yield server


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    folder = tmp_path_factory.mktemp("free")
    path = folder / "history.sqlite"
    Store(path, HistorySettings(path=str(path)), session="5e551011").close()
    with PageServer(configured(folder)) as server:
        yield server
        assert server.page.stop() == 0


def test_a_wrong_password_opens_no_route(shut: PageServer, routes: list[str]) -> None:
    asked = list(product(("GET", "POST"), routes, WRONG))
    with httpx.Client(base_url=shut.url, timeout=60) as client, ThreadPoolExecutor(16) as executor:
        statuses = executor.map(lambda each: client.request(each[0], each[1], auth=each[2]).status_code, asked)
        opened = [
            (each, status)
            for each, status in zip(asked, statuses, strict=True)
            if status not in ((200, 303, 401, 405, 429) if each[1] in ("/login", "/logout") else (401, 404, 405, 429))
        ]
        right = ("anna", "correct horse")
        wait_until(lambda: client.get("/config", auth=right).status_code == 200, 60, "an end of the wrong passwords")
    assert opened == []
    log = shut.page.log()
    assert "127.0.0.1 gave a wrong name or password in a header" in log
    assert log.count("\n") < 60
    assert "wrong horse" not in log


@pytest.mark.parametrize("path", ["streamtag/live", "streamtag/microphone?rate=48000"])
def test_no_socket_opens_without_login_nor_to_another_sites_page(shut: PageServer, free: PageServer, path: str) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        connect(shut.url.replace("http", "ws") + path)
    with pytest.raises(InvalidStatus, match="403"):
        connect(free.url.replace("http", "ws") + path, origin=Origin("https://elsewhere.example"))
    with connect(free.url.replace("http", "ws") + path, origin=Origin(free.url.rstrip("/"))) as socket:
        assert json.loads(socket.recv(20))["kind"] in ("service", "ready", "refused")


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=/etc/passwd",
        "file=/etc/passwd",
        "static/../../../../../../etc/passwd",
        "assets/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "svelte/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "streamtag/static/%2e%2e/access.py",
        "streamtag/history/clips/%2e%2e%2fhistory.sqlite",
        "streamtag/history/clips/history.sqlite",
    ],
)
def test_no_other_file_can_be_read(free: PageServer, path: str) -> None:
    answer = httpx.get(free.url + path)
    assert answer.status_code >= 400
    assert "root:" not in answer.text
    assert "import" not in answer.text


def test_nothing_is_saved_where_the_page_may_not_write(free: PageServer) -> None:
    before = free.config.read_text()
    answer = httpx.post(f"{free.url}streamtag/tuning/save?label=Music&on=0.5&off=0.3")
    assert answer.status_code == 403
    assert "--allow-write" in answer.json()["error"]
    assert free.config.read_text() == before


def test_the_page_waits_for_a_service_and_takes_no_microphone_before(free: PageServer) -> None:
    address = free.url.replace("http", "ws")
    with connect(f"{address}streamtag/live") as socket:
        assert json.loads(socket.recv(20))["state"] == "waiting"
    with connect(f"{address}streamtag/microphone?rate=48000") as socket:
        told = json.loads(socket.recv(20))
        assert (told["kind"], "not running" in told["reason"]) == ("refused", True)


def test_gradio_neither_reads_nor_writes_stubs_of_its_components(listed: dict[str, list[str]]) -> None:
    assert listed["stubs"] == []
