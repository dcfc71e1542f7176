"""Notifications, through the real Apprise to a web server."""

import base64
import io
import json
import logging
import threading
import wave
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamtag.alerts.notice import AlertNotice
from streamtag.backoff import Backoff
from streamtag.config import load_config
from streamtag.errors import ConfigError
from streamtag.history import History
from streamtag.settings import Config
from streamtag.sinks.notify import NotifySink
from streamtag.sinks.sink import SinkMessage
from tests.history.conftest import NOW, patch
from tests.real.servers import wait_until

# One of the hundred services that Apprise looks through asks for a module that is going away.
pytestmark = pytest.mark.filterwarnings("ignore:.*slated for removal:DeprecationWarning")

WAIT_SECONDS = 30.0
SECRET = "hunter2"


class Server:
    """Takes messages, or answers with an error, or not at all until it is closed."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.status = 200
        self.tries = 0
        self.hangs = False
        self.closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.tries += 1
                if server.hangs:
                    server.closing.wait(WAIT_SECONDS)
                    return
                if server.status == 200:
                    server.got.append(body)
                self.send_response(server.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,)).start()

    @property
    def url(self) -> str:
        return f"json://me:{SECRET}@127.0.0.1:{self._server.server_port}/{SECRET}"

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[[], Server]]:
    servers: list[Server] = []

    def make() -> Server:
        servers.append(Server())
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def send(tmp_path: Path) -> Iterator[Callable[..., NotifySink]]:
    """Make notifications, which are sent one alert, and close with the test."""
    sinks: list[NotifySink] = []

    def make(*urls: str, digest: float = 0.3, more: str = "") -> NotifySink:
        config = settings(tmp_path, f"urls = {json.dumps(urls)}\ndigest_seconds = {digest}", more)
        sinks.append(NotifySink(config, Backoff(0.1, 300.0), gather_seconds=0.05, look_seconds=0.05))
        sinks[-1].open()
        return sinks[-1]

    yield make
    for sink in sinks:
        sink.close()


def settings(folder: Path, text: str, more: str = "") -> Config:
    path = folder / "live.toml"
    path.write_text(f'[[notify]]\nname = "phone"\n{text}\n[[alert]]\nname = "dog"\nwhen = "Dog"\n{more}')
    return load_config(path)


def notice(at: float = NOW, *, clip: bool = False, send: tuple[str, ...] = ("phone",)) -> SinkMessage:
    return SinkMessage(
        AlertNotice(alert="dog", stream="porch", what="Dog", time=at, onset_time=at, value=0.9, send=send, clip=clip)
    )


def counted(server: Server) -> int:
    """How many alerts the messages tell of."""
    return sum(int(body["title"].split()[1]) if "times" in body["title"] else 1 for body in server.got)


def test_four_thousand_alerts_are_a_handful_of_messages_and_all_are_counted(
    serve: Callable[[], Server], send: Callable[..., NotifySink]
) -> None:
    server = serve()
    sink = send(server.url)
    for number in range(4_000):
        sink.take(notice(NOW + number))
    wait_until(lambda: counted(server) == 4_000, WAIT_SECONDS, "all alerts")
    assert len(server.got) <= 5
    assert sink.deliveries().waiting == 0
    assert "4000 times" in server.got[-1]["title"] or len(server.got) > 1


def test_what_was_not_taken_is_tried_again_with_what_came_meanwhile(
    serve: Callable[[], Server], send: Callable[..., NotifySink], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "streamtag")
    server = serve()
    server.status = 500
    sink = send(server.url)
    sink.take(notice())
    wait_until(lambda: server.tries >= 2, WAIT_SECONDS, "a second try")
    sink.take(notice(NOW + 1))
    server.status = 200
    wait_until(lambda: counted(server) == 2, WAIT_SECONDS, "both alerts")
    wait_until(lambda: "takes messages again" in caplog.text, WAIT_SECONDS, "the log's word")
    assert caplog.text.count("was not taken") == 1
    assert SECRET not in caplog.text
    assert sink.deliveries().failed >= 2


def test_an_address_that_hangs_holds_up_no_other(serve: Callable[[], Server], send: Callable[..., NotifySink]) -> None:
    before = set(threading.enumerate())
    hung, well = serve(), serve()
    hung.hangs = True
    sink = send(hung.url, well.url)
    for number in range(3):
        sink.take(notice(NOW + number))
        wait_until(lambda: counted(well) == number + 1, WAIT_SECONDS, "the other's message")  # noqa: B023
    assert hung.got == []
    # Threads of a pool are waited for by a process that ends.
    assert not [thread.name for thread in set(threading.enumerate()) - before if "Pool" in thread.name]
    hung.closing.set()


def test_only_those_are_told_that_an_alert_is_sent_to(
    serve: Callable[[], Server], send: Callable[..., NotifySink]
) -> None:
    server = serve()
    sink = send(server.url)
    sink.take(notice(send=("mqtt",)))
    sink.take(notice(NOW + 5))
    wait_until(lambda: server.got, WAIT_SECONDS, "the message")
    assert counted(server) == 1


def test_the_recording_goes_along_once_the_history_has_it(
    serve: Callable[[], Server], send: Callable[..., NotifySink], tmp_path: Path
) -> None:
    server = serve()
    more = '[history]\npath = "history.sqlite"\nkeep_days = 36500\nclips = true\nclip_seconds = 1.0\n'
    sink = send(server.url, more=more)
    config = load_config(tmp_path / "live.toml")
    history = History(Path(config.history.path or ""), config.history)
    history.start()
    history.patch("porch", patch(0, level=0.5))
    history.begin("porch", 1, "Dog", 0.0, 0.9, NOW)
    history.settle(5.0)
    sink.take(notice(clip=True))
    history.patch("porch", patch(1, level=0.5))
    wait_until(lambda: server.got, WAIT_SECONDS, "the message")
    history.stop(5.0)
    (attached,) = server.got[0]["attachments"]
    with wave.open(io.BytesIO(base64.b64decode(attached["base64"]))) as file:
        assert file.getframerate() == 16_000
        assert np.frombuffer(file.readframes(100), "<i2").any()


def test_addresses_may_stand_in_a_file(serve: Callable[[], Server], tmp_path: Path) -> None:
    server = serve()
    (tmp_path / "addresses").write_text(f"# mine\n\n{server.url}\n")
    sink = NotifySink(settings(tmp_path, 'urls_file = "addresses"\ndigest_seconds = 0'))
    sink.open()
    sink.take(notice())
    wait_until(lambda: server.got, WAIT_SECONDS, "the message")
    sink.close()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (
            f'urls = ["json://localhost", "jsn://me:{SECRET}@localhost"]',
            'live.toml: [[notify]] "phone" urls, address 2: ',
        ),
        ('urls_file = "none"', "none: cannot be read: No such file or directory"),
        ('urls_file = "empty"', "empty: holds no address"),
        ('urls_file = "wrong"', "wrong, line 2: Apprise does not understand it"),
    ],
)
def test_an_address_that_is_none_is_named_by_its_place_alone(
    tmp_path: Path, text: str, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "empty").write_text("# nothing\n")
    (tmp_path / "wrong").write_text(f"# mine\nnonsense/{SECRET}\n")
    with pytest.raises(ConfigError) as refused:
        NotifySink(settings(tmp_path, text))
    assert wrong in str(refused.value)
    assert SECRET not in str(refused.value) + caplog.text
