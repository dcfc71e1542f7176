import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamtag.benchmark.worker_process import in_a_process
from streamtag.errors import BundleError, StreamtagError


def cores(endpoint: str) -> set[int]:
    assert endpoint.startswith("tcp://127.0.0.1:")
    return os.sched_getaffinity(0)


def fail(endpoint: str, text: str) -> None:
    raise BundleError(text)


def vanish(endpoint: str) -> None:
    os._exit(3)


def test_work_is_done_on_the_cores_that_it_is_held_to() -> None:
    core = {max(os.sched_getaffinity(0))}
    assert in_a_process(cores, cores=core) == core


def test_an_error_comes_back_as_it_is() -> None:
    with pytest.raises(BundleError, match="no such bundle"):
        in_a_process(fail, "no such bundle")


def test_a_process_that_vanishes_is_told_of() -> None:
    with pytest.raises(StreamtagError, match="the process that measures ended"):
        in_a_process(vanish)


def test_a_process_imports_nothing_from_the_folder_in_which_it_is_started(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    for module in ("random", "platform", "signal", "zmq"):
        (tmp_path / "here" / f"{module}.py").write_text("raise SystemExit(3)")
    program = tmp_path / "program.py"
    program.write_text(
        "from streamtag.benchmark.worker_process import in_a_process\n"
        "if __name__ == '__main__':\n"
        "    print(in_a_process(len))\n"
    )
    command = [sys.executable, str(program)]
    done = subprocess.run(command, cwd=tmp_path / "here", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
