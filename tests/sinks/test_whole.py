"""All of it at once: a recording, a service, and everybody who is told, one of whom is away for a while."""

import json
import shutil
import urllib.request
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import streamtag
from tests.cli.commands import running
from tests.ports import free_port
from tests.real.servers import wait_until
from tests.sinks.broker import Broker, Ear
from tests.sinks.receiver import Receiver

WAIT_SECONDS = 60.0
BASE = "streamtag/cellar"


def series(port: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    families = text_string_to_metric_families(text)
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path, "persistence true", f"persistence_location {tmp_path}/")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def ear(broker: Broker) -> Iterator[Ear]:
    ear = Ear(broker.port, "ear")
    yield ear
    ear.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver(free_port())
    yield receiver
    receiver.close()


def test_a_recording_is_told_to_everybody_and_what_a_broker_misses_it_gets_later(
    tmp_path: Path, broker: Broker, ear: Ear, receiver: Receiver
) -> None:
    recording = resources.files("streamtag") / "bundles" / "default" / "demo.flac"
    shutil.copy(str(recording), tmp_path / "demo.flac")
    heard = Counter(event.label for event in streamtag.Tagger().tag(str(recording)).events)
    assert sum(heard.values()) > 5
    metrics_port, port = free_port(), free_port()
    path = tmp_path / "live.toml"

    def write(*streams: str) -> None:
        tables = "".join(f'[[stream]]\nid = "{stream}"\nsource = "demo.flac"\n' for stream in streams)
        path.write_text(
            f'[service]\nname = "cellar"\nendpoint = "tcp://127.0.0.1:{port}"\n'
            f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\nlabels = {json.dumps(list(heard))}\n'
            f'[metrics]\nlisten = "127.0.0.1:{metrics_port}"\n'
            f'[[webhook]]\nurl = "http://127.0.0.1:{receiver.port}/hook"\n[history]\npath = "history.sqlite"\n{tables}'
        )

    def told(stream: str, topic: str) -> Counter[str]:
        # What was on its way when the broker went may come twice: so it is with QoS 1.
        events = {event["id"]: event for event in map(json.loads, ear.of(f"{BASE}/{stream}/{topic}"))}
        return Counter(event["event_type"] for event in events.values())

    def delivered(stream: str) -> Counter[tuple[str, str]]:
        events = [body for body, _ in receiver.got if body["source"].endswith(f"/{stream}")]
        return Counter((body["subject"], body["type"]) for body in events if ".event." in body["type"])

    states = ("on", "off")
    wanted = Counter({(label, f"org.streamtag.event.{state}"): heard[label] for label in heard for state in states})
    write("before")
    with running("run", path) as command:
        ear.until(lambda: told("before", "event/end") == heard, "what is told of the first stream")
        broker.stop()
        write("before", "meanwhile")
        wait_until(lambda: delivered("meanwhile") == wanted, WAIT_SECONDS, "deliveries while the broker is away")
        assert not told("meanwhile", "event")
        broker.start()
        write("before", "meanwhile", "after")
        ear.until(lambda: told("after", "event/end") == heard, "what is told of the last stream")
        streams = ("before", "meanwhile", "after")
        assert {stream: told(stream, "event") for stream in streams} == dict.fromkeys(streams, heard)
        assert {stream: told(stream, "event/end") for stream in streams} == dict.fromkeys(streams, heard)
        wait_until(lambda: delivered("after") == wanted, WAIT_SECONDS, "the last deliveries")
        assert {stream: delivered(stream) for stream in streams} == dict.fromkeys(streams, wanted)
        assert len(receiver.ids) == len(set(receiver.ids))
        for stream in streams:
            ear.wait(f"{BASE}/{stream}/state", "ended")
        ended = "streamtag_streams", frozenset({("state", "ended")})
        wait_until(lambda: series(metrics_port)[ended] == len(streams), WAIT_SECONDS, "a count of the streams")
        found = series(metrics_port)
        counted = {
            (dict(labels)["stream"], dict(labels)["label"]): count
            for (name, labels), count in found.items()
            if name == "streamtag_events_total"
        }
        assert counted == {(stream, label): count for stream in streams for label, count in heard.items()}
        for output in ("mqtt", "webhook"):
            for name in ("failed", "refused"):
                assert found[f"streamtag_outputs_{name}_total", frozenset({("output", output)})] == 0
        sent = "streamtag_outputs_sent_total", frozenset({("output", "webhook")})
        wait_until(lambda: series(metrics_port)[sent] == len(receiver.got), WAIT_SECONDS, "a count of the deliveries")
        assert command.end() == 0
