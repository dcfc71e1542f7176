"""A service that asks for keys: whose a pushed stream is, and where it may be reached without."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from streamtag.engine import Service
from streamtag.errors import ConfigError
from streamtag.keys import ClientKey, add_client, write_server
from streamtag.settings import ServiceSettings, Stream
from streamtag.wire import PcmPusher, ServiceControl, Subscriber
from tests.engine.listening import ANY_PORT, Listener, config
from tests.sounds import tone

RATE = 16000
Push = Callable[[str], PcmPusher]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    write_server(folder)
    for name in ("alice", "mallory"):
        add_client(folder, name)
    return folder


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def service(tiny: Path, keys: Path, opened: ExitStack) -> Service:
    """A service that asks for keys and whose configuration names the pushed stream `door`."""
    settings = config(tiny)
    service = Service(
        replace(
            settings,
            service=ServiceSettings(endpoint=ANY_PORT, input=ANY_PORT, keys=str(keys), processes=1),
            streams=(Stream(id="door", source="zmq:"),),
        )
    )
    opened.callback(service.stop)
    service.start()
    return service


@pytest.fixture
def listener(service: Service, opened: ExitStack) -> Listener:
    listener = Listener(Subscriber(service.endpoint, key=service.key))
    opened.callback(listener.close)
    listener.until(lambda message: message.header["kind"] == "service")
    return listener


@pytest.fixture
def push(service: Service, keys: Path, opened: ExitStack) -> Push:
    """Make pushers with the key of a client."""

    def make(name: str) -> PcmPusher:
        return opened.enter_context(PcmPusher(service.input_endpoint or "", key=keys / f"{name}.key_secret"))

    return make


@pytest.mark.parametrize("name", ["desk", "door"])
def test_only_the_key_that_began_a_stream_feeds_and_ends_it(
    listener: Listener, push: Push, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    alice, mallory = push("alice"), push("mallory")
    mallory.end("door")  # which nobody has begun
    mallory.push("hers", tone(1.0), RATE)
    listener.patches("hers", 1)
    alice.push(name, tone(2.0), RATE)
    listener.patches(name, 2)
    mallory.push(name, tone(5.0), RATE)
    mallory.end(name)
    mallory.push("marker", tone(1.0), RATE)
    listener.patches("marker", 1)
    alice.push(name, tone(2.0), RATE)
    listener.patches(name, 4)
    alice.end(name)
    listener.state(name, "ended")
    assert [message.header["start"] for message in listener.scores(name)] == pytest.approx([0, 0.96, 1.92, 2.88])
    assert [state for state in listener.states(name) if state != "starting"] == ["live", "ended"]
    assert f"PCM for stream {name} by key mallory is refused: the stream belongs to key alice" in caplog.text
    told = listener.until(lambda message: message.header["kind"] == "service" and message.header["pcm_faults"])
    assert told.header["pcm_faults"] >= 2


def test_a_stream_is_paused_by_the_key_that_began_it_and_by_the_services_own(
    service: Service, listener: Listener, push: Push, keys: Path, opened: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    def control(key: ClientKey | Path) -> ServiceControl:
        return opened.enter_context(ServiceControl(service.input_endpoint or "", key=key))

    def wait_paused(is_paused: bool) -> None:
        listener.until(lambda message: message.header["kind"] == "status" and message.header["paused"] == is_paused)

    push("alice").push("desk", tone(2.0), RATE)
    listener.patches("desk", 2)
    control(keys / "mallory.key_secret").pause("desk")
    listener.until(lambda message: message.header["kind"] == "service" and message.header["pcm_faults"] == 1)
    control(keys / "alice.key_secret").pause("desk")
    wait_paused(True)
    assert service.key is not None
    control(service.key).resume("desk")
    wait_paused(False)
    assert listener.states("desk") == ["starting", "live", "paused", "live"]
    assert "a request by key mallory to pause stream desk is refused: it belongs to key alice" in caplog.text


def test_a_stream_that_ended_is_still_its_keys_as_long_as_it_is_known(listener: Listener, push: Push) -> None:
    alice, mallory = push("alice"), push("mallory")
    alice.push("desk", tone(1.0), RATE)
    alice.end("desk")
    listener.state("desk", "ended")
    mallory.push("desk", tone(1.0), RATE)
    mallory.push("marker", tone(1.0), RATE)
    listener.patches("marker", 1)
    assert listener.states("desk").count("live") == 1
    alice.push("desk", tone(1.0), RATE)
    listener.until(lambda _: listener.states("desk").count("live") == 2)


@pytest.mark.parametrize(
    "endpoint", ["tcp://*:5556", "tcp://0.0.0.0:*", "tcp://[::]:5556", "tcp://eth0:1", "tcp://192.0.2.1:5556"]
)
@pytest.mark.parametrize("socket", ["endpoint", "input"])
def test_sockets_for_other_machines_ask_for_keys_or_are_meant_to_be_open(
    tiny: Path, keys: Path, endpoint: str, socket: str
) -> None:
    settings = config(tiny)
    service: dict[str, Any] = {"endpoint": ANY_PORT, "input": ANY_PORT, socket: endpoint}
    with pytest.raises(ConfigError) as refused:
        Service(replace(settings, service=ServiceSettings(processes=1, **service)))
    for part in (f'[service] {socket} = "{endpoint}"', "streamtag keys new", "open = true"):
        assert part in str(refused.value)
    Service(replace(settings, service=ServiceSettings(processes=1, **service, open=True)))
    Service(replace(settings, service=ServiceSettings(processes=1, **service, keys=str(keys))))


@pytest.mark.parametrize(
    "endpoint", ["tcp://127.0.0.9:*", "tcp://[::1]:*", "tcp://localhost:*", "tcp://lo:*", "ipc:///tmp/x"]
)
def test_sockets_on_this_machine_need_neither(tiny: Path, endpoint: str) -> None:
    settings = config(tiny)
    Service(replace(settings, service=ServiceSettings(endpoint=endpoint)))


def test_a_folder_without_keys_is_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no server's key is there"):
        Service(replace(config(tiny), service=ServiceSettings(keys=str(tmp_path), processes=1)))
