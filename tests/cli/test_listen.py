import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import error_of, run, running
from tests.real.pulse import Pulse, pulse_server
from tests.sounds import tone


@pytest.fixture
def no_devices(tmp_path: Path) -> dict[str, str]:
    """An environment in which ALSA knows no device."""
    without_cards = tmp_path / "asound.conf"
    without_cards.write_text("</usr/share/alsa/alsa.conf>\nctl.!hw { type none }\n")
    return {"ALSA_CONFIG_PATH": str(without_cards), "PULSE_SERVER": f"unix:{tmp_path}/nowhere"}


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    with pulse_server(tmp_path) as server:
        server.name_devices("porch")
        server.plug("porch")
        yield server


def test_without_an_input_device_it_ends_at_once_with_one_line(config: Path, no_devices: dict[str, str]) -> None:
    assert "no input device found" in error_of("--config", config, "listen", status=1, environment=no_devices)


def test_without_portaudio_it_ends_at_once_with_one_line(config: Path, tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sounddevice.py").write_text('raise OSError("PortAudio library not found")\n')
    hidden = {"PYTHONPATH": str(tmp_path / "hidden")}
    for command in ("listen", "devices"):
        line = error_of("--config", config, command, status=1, environment=hidden)
        assert "apt install libportaudio2" in line


def test_without_input_devices_the_list_is_empty(no_devices: dict[str, str]) -> None:
    done = run("devices", "--json", environment=no_devices)
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    assert "no input device found" in run("devices", environment=no_devices).stderr


def test_a_microphone_is_listed_and_tagged_by_its_name(config: Path, pulse: Pulse) -> None:
    devices = json.loads(run("devices", "--json", environment=pulse.environment).stdout)
    assert "mic:porch" in [device["source"] for device in devices]
    index = next(device["index"] for device in devices if device["name"] == "porch")
    with pulse.playing("porch"):
        for device in ("porch", index):
            command = ("--config", config, "listen", "--device", device)
            with running(*command, environment=pulse.environment) as listening:
                listening.wait_message(kind="status", stream="microphone", state="live")
                assert listening.wait_message(kind="scores")["rms_dbfs"] > -60
                assert listening.end() == 0


def test_a_device_that_does_not_exist_is_one_line_with_those_that_do(config: Path, pulse: Pulse) -> None:
    line = error_of("--config", config, "listen", "--device", "yard", status=1, environment=pulse.environment)
    assert "no input device 'yard'" in line
    assert "porch" in line


def test_pcm_on_standard_input_is_tagged_until_its_end(config: Path, tmp_path: Path) -> None:
    (tmp_path / "pcm").write_bytes((tone(3.0) * 32767).astype("<i2").tobytes())
    with (tmp_path / "pcm").open("rb") as pcm:
        arguments = ("listen", "-", "--rate", "16000", "--channels", "1", "--format", "s16le")
        done = run("--config", config, *arguments, stdin=pcm)
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [message["start"] for message in messages if message["kind"] == "scores"] == [0.0, 0.96, 1.92]
    assert messages[-1]["kind"] == "service"


def test_pcm_on_standard_input_must_be_described(config: Path) -> None:
    assert "give its rate, channels and format" in error_of("--config", config, "listen", "-", status=1)


def test_a_device_and_another_source_are_one_too_many(config: Path) -> None:
    assert "--device 3" in error_of("--config", config, "listen", "clip.wav", "--device", "3", status=1)
