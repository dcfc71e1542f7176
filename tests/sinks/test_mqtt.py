import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamtag.config import load_config
from streamtag.history import event_id
from streamtag.settings import Config
from streamtag.sinks.mqtt import MqttSink
from streamtag.wire import EventHeader, Outgoing, Publisher, ServiceHeader, StatusHeader
from tests.ports import free_port
from tests.real.certificates import make_authority
from tests.real.servers import wait_until
from tests.sinks.broker import Broker, Ear, losing_qos_0, make_password
from tests.sinks.conftest import Run
from tests.wire import samples

B = "streamtag/cellar"


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[Callable[..., Broker]]:
    """Make brokers that end with the test; lines of their file as for `Broker`."""
    brokers: list[Broker] = []

    def make(*lines: str) -> Broker:
        brokers.append(Broker(tmp_path, *lines))
        return brokers[-1]

    yield make
    for broker in brokers:
        broker.stop()


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    broker = make_broker()
    broker.start()
    return broker


@pytest.fixture
def ear(broker: Broker) -> Iterator[Ear]:
    ear = Ear(broker.port)
    yield ear
    ear.close()


def settings(folder: Path, port: int, more: str = 'labels = ["Dog"]') -> Config:
    path = folder / "live.toml"
    path.write_text(f'[service]\nname = "cellar"\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\n{more}\n')
    return load_config(path)


def service(*streams: str) -> Outgoing:
    header = samples.service().header
    assert isinstance(header, ServiceHeader)
    header.streams, header.states, header.version = list(streams), {"live": len(streams)}, "1.0"
    return Outgoing(header)


def status(stream: str, state: str) -> Outgoing:
    header = samples.status(stream, state).header
    assert isinstance(header, StatusHeader)
    return Outgoing(header)


def event(state: str, number: int = 0, *, stream: str = "porch", when: float | None = None) -> Outgoing:
    header = EventHeader(
        stream=stream,
        id=number,
        label="Dog",
        index=0,
        state=state,
        onset=1.0,
        offset=None if state == "on" else 2.0,
        peak=0.9,
        onset_time=1_700_000_000.5,
        offset_time=None if state == "on" else 1_700_000_001.5,
    )
    if when is not None:
        header.time = when
    return Outgoing(header)


def test_an_event_switches_its_label_and_is_told_once(
    tmp_path: Path, broker: Broker, ear: Ear, publisher: Publisher, run: Run
) -> None:
    publisher.publish([service("porch"), status("porch", "live")])
    run(settings(tmp_path, broker.port), publisher)
    ear.wait(f"{B}/porch/status", "online")
    ear.wait(f"{B}/status", "online")
    ear.wait(f"{B}/porch/label/dog", "OFF")
    publisher.publish([event("on")])
    ear.wait(f"{B}/porch/label/dog", "ON")
    publisher.publish([event("off")])
    ear.wait(f"{B}/porch/label/dog", "OFF")
    (onset,) = ear.of(f"{B}/porch/event")
    assert json.loads(onset) | {"clip": None} == {
        "event_type": "Dog",
        "stream": "porch",
        "id": f"{publisher.session}-porch-0",
        "session": publisher.session,
        "state": "on",
        "score": 0.9,
        "onset": 1.0,
        "offset": None,
        "time": "2023-11-14T22:13:20.500Z",
        "clip": None,
    }
    ended = json.loads(ear.wait(f"{B}/porch/event/end"))
    assert (ended["state"], ended["time"]) == ("off", "2023-11-14T22:13:21.500Z")
    assert json.loads(ear.wait(f"{B}/porch/label/dog/attributes"))["peak"] == 0.9
    kept = ear.retained()
    assert f"{B}/porch/event" not in kept  # Home Assistant would take it for news at its next start
    assert f"{B}/porch/label/dog" in kept
    assert json.loads(kept["homeassistant/device/streamtag_cellar_porch/config"])["device"]["name"] == "Porch"


def test_an_event_of_before_is_no_news_to_a_relay_that_begins(
    tmp_path: Path, broker: Broker, ear: Ear, publisher: Publisher, run: Run
) -> None:
    publisher.publish([service("porch"), status("porch", "live"), event("on", when=time.time() - 60)])
    run(settings(tmp_path, broker.port), publisher)
    ear.wait(f"{B}/porch/label/dog", "ON")
    publisher.publish([event("off"), event("on", 1)])
    ear.wait(f"{B}/porch/event")
    assert [json.loads(said)["id"] for said in ear.of(f"{B}/porch/event")] == [f"{publisher.session}-porch-1"]


def test_a_stream_that_is_lost_hears_nothing(
    tmp_path: Path, broker: Broker, ear: Ear, publisher: Publisher, run: Run
) -> None:
    publisher.publish([service("porch"), status("porch", "live")])
    run(settings(tmp_path, broker.port), publisher)
    ear.wait(f"{B}/porch/state", "live")
    publisher.publish([event("on")])
    ear.wait(f"{B}/porch/label/dog", "ON")
    publisher.publish([status("porch", "reconnecting")])
    ear.wait(f"{B}/porch/label/dog", "OFF")
    ear.wait(f"{B}/porch/status", "offline")
    ear.wait(f"{B}/porch/state", "reconnecting")


def test_a_relay_that_ends_says_so(tmp_path: Path, broker: Broker, ear: Ear, publisher: Publisher, run: Run) -> None:
    publisher.publish([service("porch")])
    relaying = run(settings(tmp_path, broker.port), publisher)
    ear.wait(f"{B}/status", "online")
    relaying.end()
    ear.wait(f"{B}/status", "offline")


def test_a_broker_that_comes_late_and_forgets_gets_all_states(
    tmp_path: Path, make_broker: Callable[..., Broker], publisher: Publisher, run: Run
) -> None:
    broker = make_broker()
    publisher.publish([service("porch"), status("porch", "live")])
    run(settings(tmp_path, broker.port), publisher)
    for _ in range(2):
        broker.start()
        ear = Ear(broker.port)
        ear.wait(f"{B}/status", "online")
        ear.wait(f"{B}/porch/state", "live")
        ear.wait(f"{B}/porch/label/dog", "OFF")
        ear.wait("homeassistant/device/streamtag_cellar/config")
        ear.close()
        broker.stop()


def test_no_event_is_lost_while_the_broker_is_away(
    tmp_path: Path, make_broker: Callable[..., Broker], publisher: Publisher, run: Run
) -> None:
    broker = make_broker("persistence true", f"persistence_location {tmp_path}/")
    broker.start()
    ear = Ear(broker.port, "ear")
    publisher.publish([service("porch"), status("porch", "live")])
    run(settings(tmp_path, broker.port), publisher)
    ear.wait(f"{B}/porch/state", "live")
    publisher.publish([event("on", 0), event("off", 0)])
    ear.wait(f"{B}/porch/event/end")
    broker.stop()
    publisher.publish([event(state, number) for number in range(1, 200) for state in ("on", "off")])
    publisher.publish([event("on", 200), status("porch", "live")])
    broker.start()

    def told(topic: str) -> list[str]:
        # What was on its way when the broker went may come twice: so it is with QoS 1.
        return list(dict.fromkeys(json.loads(said)["id"] for said in ear.of(f"{B}/porch/{topic}")))

    ear.until(lambda: len(told("event")) >= 201, "all onsets")
    assert told("event") == [f"{publisher.session}-porch-{number}" for number in range(201)]
    assert told("event/end") == told("event")[:-1]
    ear.wait(f"{B}/porch/label/dog", "ON")
    ear.close()


def test_home_assistant_that_starts_is_told_everything_again(
    tmp_path: Path, broker: Broker, ear: Ear, publisher: Publisher, run: Run
) -> None:
    publisher.publish([service("porch"), status("porch", "live")])
    run(settings(tmp_path, broker.port), publisher)
    ear.wait(f"{B}/porch/state", "live")
    ear.wait("homeassistant/device/streamtag_cellar_porch/config")
    told = len(ear.of("homeassistant/device/streamtag_cellar_porch/config"))
    ear.say("homeassistant/status", "online")
    ear.until(lambda: len(ear.of("homeassistant/device/streamtag_cellar_porch/config")) > told, "discovery again")
    ear.until(lambda: len(ear.of(f"{B}/porch/state")) > 1, "states again")


def test_what_an_earlier_configuration_left_is_taken_away(
    tmp_path: Path, broker: Broker, ear: Ear, publisher: Publisher, run: Run
) -> None:
    ghost = "homeassistant/device/streamtag_cellar_gone/config"
    ear.say(ghost, json.dumps({"device": {"via_device": "streamtag_cellar"}, "components": {}}), retain=True)
    other = "homeassistant/device/streamtag_attic_porch/config"
    ear.say(other, json.dumps({"device": {"via_device": "streamtag_attic"}, "components": {}}), retain=True)
    ear.say(f"{B}/gone/label/dog", "ON", retain=True)
    ear.say(f"{B}/porch/label/cat", "ON", retain=True)
    porch = "homeassistant/device/streamtag_cellar_porch/config"
    cat = {"streamtag_cellar_porch_cat": {"platform": "binary_sensor", "name": "Cat"}}
    ear.say(porch, json.dumps({"device": {"via_device": "streamtag_cellar"}, "components": cat}), retain=True)
    publisher.publish([service("porch"), status("porch", "live")])
    config = settings(tmp_path, broker.port)
    assert config.mqtt is not None
    run(config, publisher, MqttSink(config, config.mqtt, ghost_seconds=0.5))
    for topic in (ghost, f"{B}/gone/label/dog", f"{B}/porch/label/cat"):
        ear.wait(topic, "")
    parting = {"platform": "binary_sensor"}
    ear.until(
        lambda: any(
            json.loads(said)["components"].get("streamtag_cellar_porch_cat") == parting for said in ear.of(porch)
        ),
        "the entity's removal",
    )
    ear.until(lambda: "porch_cat" not in str(ear.newest(porch)), "an announcement without it")
    assert ear.newest(other) is not None
    assert "" not in ear.of(other)


def test_a_wrong_password_is_one_line_without_it(
    tmp_path: Path, make_broker: Callable[..., Broker], publisher: Publisher, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "passwords").write_text("")
    broker = make_broker(f"password_file {tmp_path}/passwords")
    broker.start()
    (tmp_path / "secret").write_text("hunter2\n")
    publisher.publish([service("porch")])
    run(settings(tmp_path, broker.port, 'user = "me"\npassword_file = "secret"'), publisher)
    wait_until(lambda: "refuses" in caplog.text, 60, "a complaint")
    assert "hunter2" not in caplog.text
    assert "not authorized" in caplog.text


def test_a_visitor_s_microphone_is_nobody_s_business(
    tmp_path: Path, broker: Broker, ear: Ear, publisher: Publisher, run: Run
) -> None:
    publisher.publish([event("on", stream="browser-1"), service("porch"), status("porch", "live")])
    run(settings(tmp_path, broker.port), publisher)
    ear.wait(f"{B}/porch/state", "live")
    assert not [topic for topic, *_ in ear.heard if "browser" in topic]


def test_a_password_from_a_file_lets_us_in(
    tmp_path: Path, make_broker: Callable[..., Broker], publisher: Publisher, run: Run
) -> None:
    plain = free_port()
    broker = make_broker(
        f"password_file {make_password(tmp_path, 'me', 'hunter2')}",
        "allow_anonymous true",
        f"listener {plain} 127.0.0.1",
    )
    broker.start()
    (tmp_path / "secret").write_text("hunter2\n")
    ear = Ear(plain)
    publisher.publish([service("porch"), status("porch", "live")])
    run(settings(tmp_path, broker.port, 'user = "me"\npassword_file = "secret"'), publisher)
    ear.wait(f"{B}/porch/state", "live")
    ear.close()


# The client leaves the sockets of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_is_reached_with_tls_when_its_certificate_is_vouched_for(
    tmp_path: Path, make_broker: Callable[..., Broker], publisher: Publisher, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    make_authority(tmp_path)
    plain = free_port()
    broker = make_broker(f"certfile {tmp_path}/good.pem", f"keyfile {tmp_path}/good.key", f"listener {plain} 127.0.0.1")
    broker.start()
    ear = Ear(plain)
    publisher.publish([service("porch"), status("porch", "live")])
    distrusting = run(settings(tmp_path, broker.port, "tls = true"), publisher)
    wait_until(lambda: "certificate is not to be trusted" in caplog.text, 60, "a complaint")
    distrusting.end()
    assert not ear.of(f"{B}/status")
    run(settings(tmp_path, broker.port, 'tls = true\nca_file = "ca.pem"'), publisher)
    ear.wait(f"{B}/porch/state", "live")
    ear.close()


def test_a_broker_that_is_not_there_is_named_with_the_reason(
    tmp_path: Path, publisher: Publisher, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    run(settings(tmp_path, port), publisher)
    wait_until(
        lambda: f"the broker at 127.0.0.1:{port} cannot be reached (connection refused)" in caplog.text, 60, "it"
    )


def test_nothing_but_the_level_leans_on_messages_that_may_be_lost(
    tmp_path: Path, broker: Broker, ear: Ear, publisher: Publisher, run: Run
) -> None:
    publisher.publish([service("porch"), status("porch", "live")])
    with losing_qos_0(broker.port) as way:
        relaying = run(settings(tmp_path, way.port), publisher)
        ear.wait(f"{B}/porch/state", "live")
        publisher.publish([event("on")])
        ear.wait(f"{B}/porch/label/dog", "ON")
        assert json.loads(ear.wait(f"{B}/porch/label/dog/attributes"))["peak"] == 0.9
        assert json.loads(ear.wait(f"{B}/service"))["live"] == 1
        ear.wait(f"{B}/porch/event")
        ear.wait("homeassistant/device/streamtag_cellar_porch/config")
        relaying.end()
        ear.wait(f"{B}/status", "offline")


def test_an_event_says_where_its_recording_is(
    tmp_path: Path, broker: Broker, ear: Ear, publisher: Publisher, run: Run
) -> None:
    publisher.publish([service("porch", "attic"), status("porch", "live"), status("attic", "live")])
    settings(tmp_path, broker.port)
    (tmp_path / "live.toml").write_text(
        (tmp_path / "live.toml").read_text().replace("[service]", '[service]\npage = "http://cellar:7860/"')
        + '[history]\npath = "h.sqlite"\nclips = true\n[[stream]]\nid = "attic"\nsource = "mic:"\nkeep = false\n'
    )
    config = load_config(tmp_path / "live.toml")
    run(config, publisher)
    ear.wait(f"{B}/attic/state", "live")
    publisher.publish([event("on"), event("on", stream="attic")])
    link = f"http://cellar:7860/api/v1/clips/{event_id('porch', 'Dog', 1_700_000_000.5)}"
    assert json.loads(ear.wait(f"{B}/porch/event"))["clip"] == link
    assert json.loads(ear.wait(f"{B}/porch/label/dog/attributes"))["clip"] == link
    assert json.loads(ear.wait(f"{B}/attic/event"))["clip"] is None
