import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamtag.program import Program, ProgramError, describe_status, finish, output_of
from tests.real.servers import is_running, wait_until


def test_the_output_of_a_program_is_given_whole() -> None:
    big = output_of(["sh", "-c", "head -c 3000000 /dev/zero; echo unread >&2"])  # more than a pipe holds
    assert big == bytes(3_000_000)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo first >&2; echo 'streamtag: the last line' >&2; echo >&2; exit 1", "the last line"),
        ("exit 3", "it ended with exit status 3"),
        ("kill -SEGV $$", "it ended with SIGSEGV"),
    ],
)
def test_a_program_that_fails_says_why_in_one_line(script: str, reason: str) -> None:
    with pytest.raises(ProgramError, match=f"^{reason}$"):
        output_of(["sh", "-c", script])


def test_a_program_that_is_not_there_is_told_apart() -> None:
    with pytest.raises(ProgramError, match=r"^no-such-program cannot be started: No such file") as missing:
        output_of(["no-such-program"])
    assert missing.value.is_missing


def test_a_program_that_takes_too_long_is_killed() -> None:
    with pytest.raises(ProgramError, match=r"^no answer in 0\.1 s$"):
        finish(["sleep", "60"], 0.1)


def test_what_is_merged_stands_in_the_order_in_which_it_was_written() -> None:
    done = finish(["sh", "-c", "echo a; echo b >&2; echo c; exit 2"], merged=True)
    assert done == (2, b"a\nb\nc\n", b"")


def test_a_status_is_a_number_or_a_signals_name() -> None:
    assert [describe_status(status) for status in (0, 7, -9, -63)] == [
        "exit status 0",
        "exit status 7",
        "SIGKILL",
        "signal 63",
    ]


def test_a_program_runs_until_the_end_of_the_with() -> None:
    with Program(["sleep", "60"]) as program:
        assert program.status is None
        assert program.wait(0.0) is None
    assert program.status == -signal.SIGTERM


def test_a_program_that_does_not_end_when_asked_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    stubborn = f"trap '' TERM; touch {ready}; while true; do sleep 0.05; done"
    with Program(["sh", "-c", stubborn], stop_seconds=0.1) as program:
        wait_until(ready.exists, 60, "the program's start")
    assert program.status == -signal.SIGKILL


def test_all_of_a_session_of_its_own_is_killed() -> None:
    script = "sleep 60 & echo $!; wait"
    with Program(["sh", "-c", script], stdout=subprocess.PIPE, own_session=True) as program:
        assert program.stdout is not None
        other = int(program.stdout.readline())
        program.kill()
        assert program.wait(60) == -signal.SIGKILL
        wait_until(lambda: not is_running(other), 60, "the end of what it started")


def test_the_environment_is_ours_and_what_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "ours")
    code = "import os; print(os.environ['OURS'], os.environ['MORE'], os.getcwd())"
    environment = {"MORE": "more"}
    with Program(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, environment=environment, folder=tmp_path
    ) as program:
        assert program.stdout is not None
        assert program.stdout.read().decode().split() == ["ours", "more", os.path.realpath(tmp_path)]
