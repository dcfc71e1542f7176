import signal
import socket
import time
from pathlib import Path

import pytest

from streamtag.wire import Subscriber
from tests.cli.commands import Running, error_of, running
from tests.sounds import tone, write
from tests.wire.receiving import received


@pytest.fixture
def playing(config: Path, tmp_path: Path) -> Path:
    """A configuration with one recording that is played for ever."""
    write(tmp_path / "tone.wav", tone(2.0, 1000))
    with config.open("a") as file:
        file.write('[[stream]]\nid = "porch"\nsource = "tone.wav"\nrealtime = true\nloop = true\n')
    return config


def _endpoint(command: Running) -> str:
    return command.wait_error("publishing on").split()[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_service_publishes_until_a_signal_ends_it_in_good_order(playing: Path, number: signal.Signals) -> None:
    with (
        running("run", playing) as command,
        Subscriber(_endpoint(command), ["porch"], ["scores", "status"]) as subscriber,
    ):
        while received(subscriber).header["kind"] != "scores":
            pass
        begin = time.monotonic()
        assert command.end(number) == 0
        assert time.monotonic() - begin < 4  # 2 s, and the machine may be slow
        while received(subscriber).header.get("state") != "ended":
            pass
        assert subscriber.receive(0.5) is None


def test_the_log_names_model_endpoints_and_streams(playing: Path) -> None:
    with running("run", playing) as command:
        assert "tiny" in command.wait_error("model")
        assert "tcp://127.0.0.1:" in command.wait_error("publishing on")
        assert "tcp://127.0.0.1:" in command.wait_error("taking PCM on")
        assert " INFO " in command.wait_error("stream porch is live")


def test_sighup_takes_a_new_list_of_streams(playing: Path) -> None:
    with running("run", playing) as command:
        endpoint = _endpoint(command)
        command.wait_error("stream porch is live")
        playing.write_text(playing.read_text().replace('"porch"', '"yard"'))
        command.process.send_signal(signal.SIGHUP)
        command.wait_error("reloaded")
        with Subscriber(endpoint, ["yard"], ["scores"]) as subscriber:
            assert subscriber.receive(30) is not None


def test_a_change_of_the_file_is_taken_over_without_a_signal(playing: Path) -> None:
    with running("run", playing) as command:
        endpoint = _endpoint(command)
        command.wait_error("stream porch is live")
        playing.write_text(playing.read_text().replace('"porch"', '"yard"'))
        command.wait_error("reloaded")
        with Subscriber(endpoint, ["yard"], ["scores"]) as subscriber:
            assert subscriber.receive(30) is not None


def test_a_bad_new_configuration_is_one_line_and_the_old_one_stays(playing: Path) -> None:
    with running("run", playing) as command:
        endpoint = _endpoint(command)
        command.wait_error("stream porch is live")
        with playing.open("a") as file:
            file.write("volume = 11\n")
        command.process.send_signal(signal.SIGHUP)
        assert "volume: unknown key" in command.wait_error("the old one stays")
        with Subscriber(endpoint, ["porch"], ["scores"]) as subscriber:
            assert subscriber.receive(30) is not None
            assert subscriber.receive(30) is not None


def test_the_service_goes_on_when_its_recordings_have_ended(playing: Path) -> None:
    playing.write_text(playing.read_text().replace("loop = true", "loop = false"))
    with running("run", playing) as command:
        command.wait_error("stream porch is ended")
        with pytest.raises(Exception, match="timed out"):
            command.process.wait(1.0)
        assert command.end() == 0


def test_a_port_in_use_is_one_line(playing: Path) -> None:
    with running("run", playing) as command:
        endpoint = _endpoint(command)
        line = error_of("--log-level", "error", "run", playing, status=1)
        assert endpoint in line
        assert "in use" in line


def test_a_stream_that_fails_leaves_the_others_alone_and_shows_no_password(playing: Path) -> None:
    with playing.open("a") as file:
        file.write('[[stream]]\nid = "bad"\nsource = "gopher://user:hunter2@camera/audio"\n')
    with running("run", playing) as command:
        line = command.wait_error("stream bad is failed")
        assert "unknown kind of source" in line
        assert "hunter2" not in line
        with Subscriber(_endpoint_of(playing), ["porch"], ["scores"]) as subscriber:
            assert subscriber.receive(30) is not None


def _endpoint_of(config: Path) -> str:
    return config.read_text().split('endpoint = "')[1].split('"')[0]


def test_a_service_tells_that_it_is_ready_lives_reloads_and_ends(config: Path, tmp_path: Path) -> None:
    hearing = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    hearing.bind(str(tmp_path / "notify"))
    hearing.settimeout(60)

    def told() -> str:
        return hearing.recv(4096).decode()

    environment = {"NOTIFY_SOCKET": hearing.getsockname(), "WATCHDOG_USEC": "20000000"}
    with hearing, running("run", config, environment=environment) as command:
        assert told().startswith("READY=1\nSTATUS=publishing on tcp://127.0.0.1:")
        assert told() == "WATCHDOG=1"
        assert told() == "WATCHDOG=1"
        command.process.send_signal(signal.SIGHUP)
        words = [told() for _ in range(2)]
        while not words[-1].startswith("READY=1"):
            words.append(told())
        assert any(word.startswith("RELOADING=1\nMONOTONIC_USEC=") for word in words)
        assert words[-1].endswith("; the configuration was reloaded")
        assert command.end() == 0
        while (word := told()) == "WATCHDOG=1":
            pass
        assert word == "STOPPING=1"
