"""The examples for Home Assistant, Node-RED, ntfy, Telegraf and a light, against what is really told."""

import json
import re
import subprocess
import sys
import threading
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from streamtag.sinks.board import Board
from streamtag.wire import EventHeader, Publisher, ServiceHeader
from tests.cli.commands import running
from tests.ports import free_port
from tests.real.servers import program_path, wait_until
from tests.sinks.broker import Broker, Ear
from tests.sinks.conftest import Run
from tests.sinks.test_mqtt import event, service, settings, status
from tests.wire import samples

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
AUTOMATIONS = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["alias", "triggers", "actions"],
        "properties": {
            "id": {"type": "string", "pattern": "^[a-z_]+$"},
            "alias": {"type": "string"},
            "triggers": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/trigger"}},
            "conditions": {"type": "array", "items": {"$ref": "#/$defs/condition"}},
            "actions": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/action"}},
            "mode": {"enum": ["single", "restart", "queued", "parallel"]},
        },
        "additionalProperties": False,
    },
    "$defs": {
        "entity": {"type": "string", "pattern": r"^[a-z_]+\.[a-z0-9_]+$"},
        "trigger": {
            "type": "object",
            "required": ["trigger", "entity_id"],
            "properties": {
                "trigger": {"enum": ["state", "numeric_state"]},
                "entity_id": {"$ref": "#/$defs/entity"},
                "to": {"type": ["string", "array"]},
                "below": {"type": "number"},
                "for": {"type": "string", "pattern": r"^\d\d:\d\d:\d\d$"},
            },
            "additionalProperties": False,
        },
        "condition": {
            "type": "object",
            "required": ["condition"],
            "properties": {
                "condition": {"enum": ["sun", "template", "numeric_state"]},
                "after": {"enum": ["sunset", "sunrise"]},
                "value_template": {"type": "string", "pattern": r"^\{\{.+\}\}$"},
                "entity_id": {"$ref": "#/$defs/entity"},
                "above": {"type": "number"},
            },
            "additionalProperties": False,
        },
        "action": {
            "type": "object",
            "oneOf": [{"required": ["action"]}, {"required": ["if", "then"]}],
            "properties": {
                "action": {"type": "string", "pattern": r"^[a-z_]+\.[a-z_]+$"},
                "target": {"type": "object", "properties": {"entity_id": {"$ref": "#/$defs/entity"}}},
                "data": {"type": "object"},
                "if": {"type": "array", "items": {"$ref": "#/$defs/condition"}},
                "then": {"type": "array", "items": {"$ref": "#/$defs/action"}},
                "else": {"type": "array", "items": {"$ref": "#/$defs/action"}},
            },
            "additionalProperties": False,
        },
    },
}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def ear(broker: Broker) -> Iterator[Ear]:
    ear = Ear(broker.port)
    yield ear
    ear.close()


@contextmanager
def example(*command: object) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, *map(str, command)], cwd=ROOT) as process:
        yield process
        process.terminate()


def entities() -> set[str]:
    """The names that Home Assistant gives to what a stream "porch" and its labels announce."""
    labels = ("Dog", "Smoke detector, smoke alarm")
    board = Board(base="streamtag/cellar", service="cellar", discovery="homeassistant", labels=labels, began=0.0)
    header = samples.service().header
    assert isinstance(header, ServiceHeader)
    header.streams, header.input = ["porch"], "tcp://127.0.0.1:5557"
    list(board.hear(header, 0.0))
    device = json.loads(board.kept["homeassistant/device/streamtag_cellar_porch/config"])

    def named(component: dict[str, Any]) -> str:
        name = re.sub(r"[^a-z0-9]+", "_", f"{device['device']['name']} {component['name']}".lower())
        return f"{component['platform']}.{name}"

    return {named(component) for component in device["components"].values()}


def automations() -> list[tuple[str, list[dict[str, Any]]]]:
    document = (ROOT / "docs" / "home-assistant.md").read_text()
    shown = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", document, re.DOTALL)]
    file = yaml.safe_load((EXAMPLES / "home-assistant" / "automations.yaml").read_text())
    return [("file", file), ("document", [each for each in shown if "triggers" in each])]


@pytest.mark.parametrize(("_place", "found"), automations(), ids=lambda value: value if isinstance(value, str) else "")
def test_home_assistant_s_automations_are_well_formed_and_of_entities_that_there_are(
    _place: str, found: list[dict[str, Any]]
) -> None:
    jsonschema_rs.validator_for(AUTOMATIONS).validate(found)
    named = set(re.findall(r"\b(?:binary_sensor|event|sensor|switch)\.porch_[a-z0-9_]+", json.dumps(found)))
    assert named
    assert named <= entities()


def test_a_light_follows_a_label(tmp_path: Path, broker: Broker, ear: Ear, publisher: Publisher, run: Run) -> None:
    publisher.publish([service("porch"), status("porch", "live")])
    run(settings(tmp_path, broker.port), publisher)
    ear.wait("streamtag/cellar/porch/state", "live")
    text = (EXAMPLES / "light_by_mqtt.py").read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 15
    with example(EXAMPLES / "light_by_mqtt.py", "127.0.0.1", broker.port):
        ear.wait("zigbee2mqtt/porch/set", '{"state": "OFF"}')
        publisher.publish([event("on")])
        ear.wait("zigbee2mqtt/porch/set", '{"state": "ON"}')
        publisher.publish([event("off")])
        ear.wait("zigbee2mqtt/porch/set", '{"state": "OFF"}')


def test_a_phone_is_told_once_a_minute(publisher: Publisher) -> None:
    got: list[dict[str, Any]] = []

    class Ntfy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Ntfy)
    threading.Thread(target=server.serve_forever, args=(0.05,)).start()
    address = f"http://127.0.0.1:{server.server_port}/porch"
    publisher.publish([event("on", 0)])
    with example(EXAMPLES / "ntfy.py", address, "Dog", publisher.endpoint):
        wait_until(lambda: got, 60, "a word to the phone")
        publisher.publish([event("off", 0), event("on", 1), event("on", 2, stream="yard")])
    server.shutdown()
    server.server_close()
    assert got == [
        {"topic": "porch", "title": "Dog at porch", "message": "heard with a score of 0.90", "tags": ["loud_sound"]}
    ]


def flow() -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = json.loads((EXAMPLES / "node-red" / "flow.json").read_text())
    return nodes


def test_the_node_red_flow_is_whole_and_listens_to_topics_that_there_are(
    tmp_path: Path, broker: Broker, ear: Ear, publisher: Publisher, run: Run
) -> None:
    nodes = {node["id"]: node for node in flow()}
    assert len(nodes) == len(flow())
    assert all(target in nodes for node in nodes.values() for wires in node.get("wires", []) for target in wires)
    assert all(node["broker"] in nodes for node in nodes.values() if node["type"].startswith("mqtt "))
    publisher.publish([service("porch"), status("porch", "live")])
    run(settings(tmp_path, broker.port), publisher)
    ear.wait("streamtag/cellar/porch/state", "live")
    publisher.publish([event("on")])
    ear.wait("streamtag/cellar/porch/event")
    for node in nodes.values():
        if node["type"] == "mqtt in":
            pattern = re.compile(node["topic"].replace("+", "[^/]+"))
            assert any(pattern.fullmatch(topic) for topic, *_ in ear.heard), node["topic"]


def in_node(function: str, messages: list[dict[str, Any]]) -> list[Any]:
    """What a function node of the flow makes of messages."""
    (code,) = [node["func"] for node in flow() if node["type"] == "function" and node["name"].startswith(function)]
    script = (
        "const kept = new Map(); const context = {get: (k) => kept.get(k), set: (k, v) => kept.set(k, v)};"
        f"const work = new Function('msg', 'context', {json.dumps(code)});"
        f"console.log(JSON.stringify({json.dumps(messages)}.map((msg) => work(msg, context))))"
    )
    done = subprocess.run([program_path("node"), "-e", script], check=True, capture_output=True, text=True, timeout=60)
    given: list[Any] = json.loads(done.stdout)
    return given


def test_the_flow_s_functions_do_what_they_are_called() -> None:
    board = Board(base="streamtag/cellar", service="cellar", discovery="", labels=("Dog", "Cat"), began=0.0)

    def onset(second: float, stream: str = "porch", label: str = "Dog", peak: float = 0.9) -> dict[str, Any]:
        header = event("on", stream=stream).header
        assert isinstance(header, EventHeader)
        header.onset_time, header.label, header.peak = 1_700_000_000 + second, label, peak
        (note,) = board.hear(header, 0.0)
        return {"topic": note.topic, "payload": json.loads(note.payload)}

    given = [onset(0), onset(30), onset(40, "yard"), onset(61), onset(70, label="Cat"), onset(200, peak=0.5)]
    made = in_node("Dogs", given)
    assert [each is not None for each in made] == [True, False, True, True, False, False]
    assert made[0]["topic"] == "zigbee2mqtt/porch/set"
    assert made[0]["payload"]["state"] == "ON"
    states = [{"topic": "streamtag/cellar/porch/state", "payload": state} for state in ("live", "failed")]
    told = in_node("Streams", states)
    assert told[0] is None
    assert told[1]["payload"] == "porch at cellar is failed"


def test_telegraf_reads_what_there_is(tmp_path: Path, broker: Broker, ear: Ear, publisher: Publisher, run: Run) -> None:
    config = tomllib.loads((EXAMPLES / "telegraf.conf").read_text())
    (scrape,), (consumer,) = config["inputs"]["prometheus"], config["inputs"]["mqtt_consumer"]
    assert scrape["urls"] == ["http://127.0.0.1:9464/metrics"]  # the default
    port = free_port()
    publisher.publish([service("porch"), status("porch", "live")])
    more = f'labels = ["Dog"]\n[metrics]\nlisten = "127.0.0.1:{port}"'
    run(settings(tmp_path, broker.port, more), publisher)
    ear.wait("streamtag/cellar/porch/state", "live")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        names = {line.split("{")[0].split(" ")[0] for line in answer.read().decode().splitlines() if line[0] != "#"}
    (prefix,) = scrape["namepass"]
    assert names
    assert all(name.startswith(prefix.rstrip("*")) for name in names)
    publisher.publish([event("on")])
    payload = json.loads(ear.wait("streamtag/cellar/porch/event"))
    (topic,), (parsing,), (body,) = consumer["topics"], consumer["topic_parsing"], consumer["json_v2"]
    assert re.fullmatch(topic.replace("+", "[^/]+"), "streamtag/cellar/porch/event")
    assert len(parsing["tags"].split("/")) == len(topic.split("/"))
    assert {each["path"] for each in [*body["tag"], *body["field"]]} <= payload.keys()
    assert body["timestamp_format"] == "2006-01-02T15:04:05.000Z"
    assert datetime.strptime(payload[body["timestamp_path"]], "%Y-%m-%dT%H:%M:%S.%fZ").microsecond % 1000 == 0


def test_a_new_user_who_does_what_the_document_says_hears_of_the_porch(
    tmp_path: Path, broker: Broker, ear: Ear
) -> None:
    document = (ROOT / "docs" / "home-assistant.md").read_text()
    shown = re.findall(r"```toml\n(.*?)```", document, re.DOTALL)[0]
    text = "\n".join(line.removeprefix("   ") for line in shown.splitlines())
    # The same on this machine, with a recording in place of a microphone, and ports that nobody else has.
    text = text.replace('host = "192.168.1.10"', f'host = "127.0.0.1"\nport = {broker.port}')
    text = text.replace("[service]", f'[service]\nendpoint = "tcp://127.0.0.1:{free_port()}"')
    recording = resources.files("streamtag") / "bundles" / "default" / "demo.flac"
    text = text.replace('"mic:"', f'"{recording}"\nrealtime = true')
    path = tmp_path / "porch.toml"
    path.write_text(text)
    with running("run", path) as command:
        ear.wait("streamtag/cellar/porch/state", "live")
        announced = json.loads(ear.wait("homeassistant/device/streamtag_cellar_porch/config"))
        assert announced["device"]["name"] == "Porch"
        assert (
            json.loads(ear.wait("homeassistant/device/streamtag_cellar/config"))["device"]["name"] == "Streamtag cellar"
        )
        ear.wait("streamtag/cellar/porch/label/dog", "OFF")
        ear.wait("streamtag/cellar/porch/label/doorbell", "OFF")
        assert command.end() == 0
