import subprocess
import sys
from pathlib import Path

import pytest

from streamtag.command_process import CommandProcess
from tests.real.servers import is_running, wait_until

PARENT = """
import sys, time
from streamtag.command_process import CommandProcess
command = CommandProcess("run", sys.argv[1], stop_seconds=5)
command.start()
print(command.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "streamtag.toml"
    path.write_text('[service]\nendpoint = "tcp://127.0.0.1:*"\n')
    return path


def test_a_command_that_failed_says_why() -> None:
    command = CommandProcess("run", "missing.toml", stop_seconds=5)
    command.start()
    wait_until(lambda: command.failure() is not None, 60, "the command's end")
    assert "missing.toml" in str(command.failure())
    command.end()


def test_a_command_runs_until_it_is_ended(config: Path) -> None:
    command = CommandProcess("run", str(config), stop_seconds=5)
    command.start()
    assert command.failure() is None
    command.end()
    assert not is_running(command.pid)


def test_a_command_ends_by_itself_when_whoever_started_it_is_killed(config: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, config], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    wait_until(lambda: not is_running(pid), 60, "the command's end")


def test_a_command_imports_nothing_from_the_folder_in_which_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("random", "platform", "logging", "msgspec"):
        (tmp_path / f"{module}.py").write_text("raise RuntimeError('foreign')")
    monkeypatch.chdir(tmp_path)
    command = CommandProcess("run", "missing.toml", stop_seconds=5)
    command.start()
    wait_until(lambda: command.failure() is not None, 60, "the command's end")
    assert "missing.toml" in str(command.failure())
    command.end()
