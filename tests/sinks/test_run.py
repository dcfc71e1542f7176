"""The sinks beside a service, each in the process that it has in use."""

import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.bundles import make_bundle
from tests.cli.commands import error_of, run, running
from tests.ports import free_port
from tests.real.servers import wait_until
from tests.sinks.broker import WAIT_SECONDS, Broker, Ear
from tests.sinks.receiver import Receiver
from tests.sounds import tone, write


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver(free_port())
    yield receiver
    receiver.close()


@pytest.fixture
def config(tmp_path: Path, broker: Broker) -> Path:
    """A service with one recording, whose whistle begins at its very beginning."""
    bundle = make_bundle(tmp_path / "tiny")
    write(tmp_path / "tone.wav", tone(3.0, 2900))
    path = tmp_path / "live.toml"
    path.write_text(
        f'[service]\nname = "cellar"\nendpoint = "tcp://127.0.0.1:{free_port()}"\n[model]\nbundle = "{bundle}"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\nlabels = ["Whistle"]\n'
        '[[stream]]\nid = "porch"\nsource = "tone.wav"\n'
    )
    return path


def _relays(parent: int) -> list[int]:
    """The numbers of the sinks' processes of a service."""
    try:
        family = psutil.Process(parent).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [each.pid for each in family if each.is_running() and "relay" in _words(each)]


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []  # it has ended


def test_what_a_service_hears_first_is_told_and_a_killed_sink_is_started_again(config: Path, broker: Broker) -> None:
    ear = Ear(broker.port)
    with running("run", config) as command:
        ear.wait("streamtag/cellar/porch/event/end")
        told = json.loads(ear.of("streamtag/cellar/porch/event")[0])
        assert (told["event_type"], told["onset"]) == ("Whistle", 0)
        (relay,) = relays = _relays(command.process.pid)
        assert psutil.Process(relay).nice() == min(19, psutil.Process().nice() + 10)  # scoring goes first
        os.kill(relay, signal.SIGKILL)
        ear.wait("streamtag/cellar/status", "offline")
        command.wait_error("is started again")
        ear.wait("streamtag/cellar/status", "online")
        assert command.end() == 0
        ear.wait("streamtag/cellar/status", "offline")
        assert len(ear.of("streamtag/cellar/porch/event")) == 1
    wait_until(lambda: not any(map(psutil.pid_exists, relays)), 60, "the end of the sinks' process")
    ear.close()


def test_a_service_that_is_killed_is_offline(config: Path, broker: Broker) -> None:
    ear = Ear(broker.port)
    with running("run", config) as command:
        ear.wait("streamtag/cellar/status", "online")
        command.process.kill()
        ear.wait("streamtag/cellar/status", "offline")
    ear.close()


def test_a_label_that_the_model_lacks_is_refused_with_its_line(config: Path) -> None:
    config.write_text(config.read_text().replace('"Whistle"', '"Whistel"'))
    assert 'line 9: [mqtt] labels: the model has no label "Whistel"; did you mean "Whistle"?' in error_of(
        "run", config, status=2
    )


def test_a_relay_without_sinks_says_what_to_write(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.write_text("")
    assert "[mqtt]" in error_of("relay", path, status=2)


def test_a_service_that_asks_for_a_key_lets_its_own_sinks_in(config: Path, broker: Broker, tmp_path: Path) -> None:
    assert run("keys", "new", tmp_path / "keys").returncode == 0
    config.write_text(config.read_text().replace("[service]", '[service]\nkeys = "keys"'))
    ear = Ear(broker.port)
    with running("run", config):
        ear.wait("streamtag/cellar/porch/event/end")
    ear.close()


def test_whoever_is_at_the_broker_pauses_a_stream_and_has_it_heard_again(
    config: Path, broker: Broker, tmp_path: Path
) -> None:
    assert run("keys", "new", tmp_path / "keys").returncode == 0
    text = config.read_text().replace("[service]", f'[service]\nkeys = "keys"\ninput = "tcp://127.0.0.1:{free_port()}"')
    config.write_text(f"{text}realtime = true\nloop = true\n")
    ear = Ear(broker.port)
    base = "streamtag/cellar/porch"
    with running("run", config) as command:
        ear.wait(f"{base}/state", "live")
        ear.wait(f"{base}/enabled", "ON")
        assert "switch" in ear.wait("homeassistant/device/streamtag_cellar_porch/config")
        ear.say(f"{base}/enabled/set", "OFF")
        ear.wait(f"{base}/enabled", "OFF")
        ear.wait(f"{base}/state", "paused")
        ear.wait(f"{base}/label/whistle", "OFF")
        ear.say(f"{base}/enabled/set", "perhaps")
        command.wait_error("takes ON or OFF")
        ear.say("streamtag/cellar/other/enabled/set", "OFF")
        command.wait_error("there is no such stream")
        ear.say(f"{base}/enabled/set", "ON")
        ear.wait(f"{base}/state", "live")
        ear.wait(f"{base}/enabled", "ON")
    ear.close()


def test_what_is_secret_is_told_to_nobody(config: Path, broker: Broker, receiver: Receiver, tmp_path: Path) -> None:
    metrics = free_port()
    secrets = ("hunter2", "swordfish", "opensesame", "tell-nobody")
    (tmp_path / "password").write_text("opensesame\n")
    text = config.read_text().replace("[[stream]]", '[history]\npath = "history.sqlite"\n[[stream]]')
    text = text.replace("labels =", 'user = "anna"\npassword_file = "password"\nlabels =')
    text += '[[stream]]\nid = "camera"\nsource = "rtsp://anna:hunter2@127.0.0.1:1/live?token=swordfish"\n'
    text += f'[metrics]\nlisten = "127.0.0.1:{metrics}"\n'
    text += f'[[webhook]]\nurl = "http://anna:hunter2@127.0.0.1:{receiver.port}/hook?key=swordfish"\n'
    text += '[[webhook]]\nurl = "http://127.0.0.1:1/hook?key=swordfish"\ntoken = "tell-nobody"\n'
    config.write_text(text)
    ear = Ear(broker.port)
    said: list[str] = []
    with running("--log-level", "debug", "run", config) as command:
        ear.wait("streamtag/cellar/camera/state", "reconnecting")
        ear.wait("streamtag/cellar/porch/event/end")
        wait_until(lambda: len(receiver.got) >= 4, WAIT_SECONDS, "webhooks")
        for path in ("/metrics", "/healthz", "/readyz"):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{metrics}{path}", timeout=20) as answer:
                    said.append(answer.read().decode())
            except urllib.error.HTTPError as error:
                said.append(error.read().decode())
        assert "streamtag_stream_live" in said[0]
        assert command.end() == 0
        command.read_to_the_end()
        said += command.rest_of_errors()
    said += [f"{topic} {payload}" for topic, payload, _ in ear.heard] + [json.dumps(body) for body, _ in receiver.got]
    assert [text for text in said if any(secret in text for secret in secrets)] == []
    ear.close()
