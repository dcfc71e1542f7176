import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import LIMIT_SECONDS, running
from tests.real.servers import wait_until

STREAMTAG = f"{sys.executable} -m streamtag"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of a shell, in which $S is this program."""
    return subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        timeout=LIMIT_SECONDS,
        env={**os.environ, "S": STREAMTAG, **environment},
    )


@pytest.mark.parametrize(("place", "reason"), [(">/dev/full", b"No space left on device"), (">&-", b"it is closed")])
@pytest.mark.parametrize(("command", "unbuffered"), [("--version", ""), ("--help", "1"), ("models info", "")])
def test_results_that_cannot_be_written_are_one_line_and_a_failure(
    command: str, unbuffered: str, place: str, reason: bytes
) -> None:
    done = shell(f"$S {command} {place}", PYTHONUNBUFFERED=unbuffered)
    assert done.stderr == b"streamtag: standard output cannot be written: " + reason + b"\n"
    assert done.returncode == 1


def test_a_live_command_ends_when_its_output_is_full(config: Path) -> None:
    done = shell(f"$S --config {config} demo --no-dashboard >/dev/full")
    assert done.stderr == b"streamtag: standard output cannot be written: No space left on device\n"
    assert done.returncode == 1


@pytest.mark.parametrize("place", ["2>/dev/full", "2>&-", "<&- >&- 2>&-"])
def test_the_status_is_right_where_standard_error_cannot_be_written(place: str) -> None:
    assert shell(f"$S models info /nowhere {place}").returncode == 1
    assert shell(f"$S nonsense {place}").returncode == 2


def test_the_status_is_right_where_a_recording_fails_and_standard_error_is_full() -> None:
    assert shell("$S tag /nowhere.wav 2>/dev/full").returncode == 1


def test_the_service_runs_without_standard_streams(config: Path, tmp_path: Path) -> None:
    with config.open("a") as file:
        file.write('[history]\npath = "history.sqlite"\n')
    with running("run", config, through='exec "$@" <&- >&-') as command:
        command.wait_error("publishing on")
        wait_until((tmp_path / "history.sqlite").exists, LIMIT_SECONDS, "the history")
        assert os.readlink(f"/proc/{command.process.pid}/fd/1") == "/dev/null"  # and no file of the service's
        assert command.end() == 0


def test_what_programs_read_is_utf_8_in_every_locale(config: Path) -> None:
    config.write_text('[model]\nbundle = "/nowhere/bündel"\n')
    shown = shell(f"$S --config {config} doctor", PYTHONIOENCODING="latin-1").stdout.decode("utf-8")
    assert "→ pip install" in shown
    assert "/nowhere/bündel" in shown


def test_a_terminal_of_another_encoding_shows_question_marks_for_what_it_lacks(config: Path, tmp_path: Path) -> None:
    config.write_text('[model]\nbundle = "/nowhere/bündel"\n')
    command = f"{STREAMTAG} --config {config} doctor"
    done = shell(f"script -qec '{command}' {tmp_path}/shown", PYTHONIOENCODING="latin-1")
    shown = done.stdout.decode("latin-1")
    assert "/nowhere/bündel" in shown
    assert "? pip install" in shown
    assert "Traceback" not in shown
