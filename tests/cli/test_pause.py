"""`pause` and `resume`, against a service in a process of its own."""

from pathlib import Path

import pytest

from tests.cli.commands import error_of, run, running
from tests.sounds import tone, write


@pytest.fixture
def service(config: Path, tmp_path: Path) -> Path:
    """A configuration with one endless stream."""
    write(tmp_path / "beep.wav", tone(5.0, 1000))
    with config.open("a") as file:
        file.write('[[stream]]\nid = "yard"\nsource = "beep.wav"\nrealtime = true\nloop = true\n')
    return config


def test_a_stream_is_paused_and_resumed_and_says_so(service: Path) -> None:
    with running("run", service) as command:
        command.wait_error("stream yard is live")
        assert run("--config", service, "pause", "yard").stdout == "yard is paused\n"
        command.wait_error("stream yard is paused: until it is resumed")
        assert run("--config", service, "resume", "yard").stdout == "yard is live\n"
        told = error_of("--config", service, "pause", "nobody", status=1)
        assert told.endswith("has no stream nobody; it has yard")


def test_a_service_that_takes_nothing_says_what_to_set(service: Path) -> None:
    service.write_text("\n".join(line for line in service.read_text().split("\n") if not line.startswith("input")))
    with running("run", service) as command:
        command.wait_error("stream yard is live")
        assert "set [service] input" in error_of("--config", service, "pause", "yard", status=1)
