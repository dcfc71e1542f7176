"""The app of Home Assistant: its description, and a start with a stand-in for the Supervisor."""

import http.client
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import jsonschema_rs
import pytest
import yaml

from streamtag.wire import Subscriber
from tests.bundles import make_bundle
from tests.ports import free_port
from tests.real.servers import wait_until
from tests.sounds import tone, write

APP = Path(__file__).parents[2] / "deploy" / "home-assistant"
TEXT = {"type": "string", "minLength": 1}
FLAG = {"type": "boolean"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "version", "slug", "description", "arch"],
    "properties": {
        "name": TEXT,
        "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
        "slug": {"type": "string", "pattern": r"^[a-z0-9_]+$"},
        "description": TEXT,
        "arch": {"type": "array", "items": {"enum": ["aarch64", "amd64"]}, "minItems": 1, "uniqueItems": True},
        "image": {"type": "string", "pattern": r"^([a-zA-Z\-.:\d{}]+/)*?([\-\w{}]+)/([\-\w{}]+)$"},
        "init": FLAG,
        "startup": {"enum": ["initialize", "system", "services", "application", "once"]},
        "boot": {"enum": ["auto", "manual", "manual_only"]},
        "ingress": FLAG,
        "ingress_port": {"type": "integer", "minimum": 0, "maximum": 65535},
        "ingress_stream": FLAG,
        "panel_icon": {"type": "string", "pattern": "^mdi:[a-z-]+$"},
        "panel_title": TEXT,
        "audio": FLAG,
        "services": {"type": "array", "items": {"type": "string", "pattern": "^(mqtt|mysql):(provide|want|need)$"}},
        "map": {"type": "array", "items": {"type": "string", "pattern": "^(addon_config|media|share|ssl):r[ow]$"}},
        "watchdog": {"type": "string", "pattern": r"^(https?|tcp)://\[HOST\]:(\[PORT:\d+\]|\d+).*$"},
        "backup_exclude": {"type": "array", "items": TEXT},
        "options": {"type": "object"},
        "schema": {"type": "object"},
    },
}


@pytest.fixture(scope="module")
def app() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((APP / "config.yaml").read_text())
    return found


def test_its_description_is_of_the_schema(app: dict[str, Any]) -> None:
    jsonschema_rs.validator_for(SCHEMA).validate(app)
    project = tomllib.loads((APP.parents[1] / "pyproject.toml").read_text())["project"]
    assert app["version"] == project["version"]
    assert set(app["options"]) == set(app["schema"])


def test_every_option_is_put_into_words(app: dict[str, Any]) -> None:
    words = yaml.safe_load((APP / "translations" / "en.yaml").read_text())["configuration"]
    assert set(words) == set(app["options"])


def test_its_image_is_labelled_and_starts_what_asks_the_supervisor() -> None:
    text = (APP / "Containerfile").read_text()
    assert re.findall(r'io\.hass\.(\w+)="', text) == ["type", "version", "arch"]
    assert 'ENTRYPOINT ["/opt/streamtag/bin/python", "-P", "/opt/streamtag/start.py"]' in text


class _Supervisor(http.server.BaseHTTPRequestHandler):
    broker: dict[str, Any] | None = None
    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization")))
        known = self.path == "/services/mqtt" and self.broker is not None
        body = json.dumps({"result": "ok" if known else "error", "data": self.broker if known else {}}).encode()
        self.send_response(200 if known else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def supervisor() -> Iterator[str]:
    _Supervisor.asked.clear()
    _Supervisor.broker = {
        "host": "127.0.0.1",
        "port": str(free_port()),  # a text, and nobody is there
        "username": "addons",
        "password": "broker's secret",
        "ssl": False,
        "protocol": "3.1.1",
    }
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Supervisor) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_it_tags_the_options_streams_tells_the_supervisors_broker_and_shows_the_page(
    supervisor: str, tmp_path: Path
) -> None:
    data, config, port, endpoint = tmp_path / "data", tmp_path / "config", free_port(), f"ipc://{tmp_path}/scores"
    data.mkdir()
    config.mkdir()
    sound = write(tmp_path / "tone.wav", tone(2.0, 1000))
    (config / "streamtag.toml").write_text(
        f'# mine\n[service]\nendpoint = "{endpoint}"\n[model]\nbundle = "{make_bundle(tmp_path / "tiny")}"\n'
        '[[stream]]\nid = "kept"\nsource = "zmq:"\n'
    )
    options = {
        "streams": [{"id": "porch", "source": f"file:{sound}"}],
        "labels": [],
        "clips": False,
        "log_level": "info",
    }
    (data / "options.json").write_text(json.dumps(options))
    command: list[str | Path] = [
        sys.executable,
        APP / "start.py",
        "--data",
        data,
        "--config",
        config,
        "--supervisor",
        supervisor,
    ]
    environment = {**os.environ, "SUPERVISOR_TOKEN": "token's secret"}
    log = (tmp_path / "log").open("w+")
    with log, subprocess.Popen([*command, "--port", str(port)], env=environment, stderr=log, stdout=log) as process:
        try:
            with Subscriber(endpoint, ["porch"], ["scores"]) as subscriber:
                assert subscriber.receive(100) is not None
            wait_until(lambda: _page(port)[0] == 200, 100, "the page")
            assert b"streamtag" in _page(port)[1].lower()
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(30)
        log.seek(0)
        told = log.read()
    assert status == 0, told
    assert "secret" not in told
    assert _Supervisor.asked == [("/services/mqtt", "Bearer token's secret")]
    text = (config / "streamtag.toml").read_text()
    assert text.startswith("# mine\n")
    assert "secret" not in text
    written = tomllib.loads(text)
    assert [stream["id"] for stream in written["stream"]] == ["kept", "porch"]
    assert (written["mqtt"]["user"], written["mqtt"]["tls"]) == ("addons", False)
    password = Path(written["mqtt"]["password_file"])
    assert password.read_text() == "broker's secret\n"
    assert password.stat().st_mode & 0o777 == 0o600
    assert (data / "history.sqlite").exists()


def _page(port: int) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()
