import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from streamtag.temporary import private_folder

KILLED = """
import sys, time
from streamtag.temporary import private_folder
with private_folder("streamtag-test-") as folder:
    (folder / "upload").write_text("sound")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_is_nobody_elses_and_gone_at_the_end(place: Path) -> None:
    with private_folder("streamtag-test-") as folder:
        assert folder.parent == place
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "upload").write_text("sound")
    assert not folder.exists()


def test_what_a_killed_process_left_is_removed_and_what_one_uses_is_not(place: Path) -> None:
    def start() -> tuple["subprocess.Popen[str]", Path]:
        process = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    killed, left = start()
    running, used = start()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    with private_folder("streamtag-test-"):
        assert not left.exists()
        assert (used / "upload").read_text() == "sound"
    running.kill()
    running.wait()
    for process in (killed, running):
        assert process.stdout is not None
        process.stdout.close()


def test_what_belongs_to_others_or_is_being_made_is_left_alone(place: Path) -> None:
    outside = place / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (place / "streamtag-test-link").symlink_to(outside)
    (place / "streamtag-test-file").touch()
    made = place / "streamtag-test-made"
    made.mkdir()
    others = place / "streamtag-test-others"
    others.mkdir()
    (others / "in-use").touch()
    if os.getuid() == 0:
        os.chown(others, 4242, 4242)
    with private_folder("streamtag-test-"):
        assert (outside / "kept").exists()
        assert made.exists()
        assert others.exists() or os.getuid() != 0
    os.utime(made, (time.time() - 3600,) * 2)
    with private_folder("streamtag-test-"):
        assert not made.exists()
