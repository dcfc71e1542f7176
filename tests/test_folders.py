import subprocess
import sys
from pathlib import Path

import pytest

from streamtag.folders import cache_folder

HOMELESS = """
import pwd, sys
def unknown(user): raise KeyError(user)
pwd.getpwuid = unknown
from streamtag.cli import main
sys.exit(main(sys.argv[1:]))
"""


def homeless(*arguments: str) -> subprocess.Popen[str]:
    """Start a command as a user whom the system does not know, in an empty environment."""
    command = [sys.executable, "-c", HOMELESS, *arguments]
    return subprocess.Popen(command, env={}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/somewhere")
    assert str(cache_folder()) == "/var/cache/somewhere/streamtag"


def test_without_a_home_nothing_can_be_kept_and_nothing_else_is_different(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("streamtag.folders.user_cache_path", unknown)
    folder = cache_folder()
    assert not folder.exists()
    with pytest.raises(OSError, match="Not a directory"):
        folder.mkdir(parents=True)
    with pytest.raises(OSError, match="Not a directory"):
        (folder / "file").read_text()
    assert list(folder.glob("*")) == []


def test_a_user_without_a_home_can_tag() -> None:
    with homeless("demo", "--no-dashboard", "--endpoint", "tcp://127.0.0.1:*") as demo:
        assert demo.stdout is not None
        assert any('"kind":"scores"' in line for line in demo.stdout)
        demo.terminate()
        _, errors = demo.communicate()
    assert (demo.returncode, errors) == (0, "")


def test_the_doctor_tells_a_user_without_a_home_what_that_costs(tmp_path: Path) -> None:
    config = tmp_path / "streamtag.toml"
    config.write_text('[model]\nbundle = "./none"\n')  # with a model it would try every runtime
    with homeless("--config", str(config), "doctor") as doctor:
        output, errors = doctor.communicate()
    assert (doctor.returncode, errors) == (1, "")
    assert "no home folder: the fastest file is measured at every start" in output
