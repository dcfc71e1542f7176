"""Nothing that we use speaks to its vendor, or keeps files of its own about whoever uses it."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streamtag.quiet import SWITCHES
from tests.cli.commands import running
from tests.ports import free_port
from tests.real.servers import answers, wait_until

CALLS = "trace=open,openat,connect,sendto,sendmsg,sendmmsg"
AFTER_SECONDS = 11  # ONNX Runtime looks its vendor's host up 10 s after it was loaded
LOOK_UP = re.compile(r"/etc/resolv\.conf|/etc/hosts|htons\(53\)")
ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
HERE = ("127.0.0.1", "::1")


@pytest.mark.parametrize("package", ["streamtag", "train", "deploy", "benchmarks"])
def test_every_package_switches_libraries_off_before_it_can_load_one(package: str) -> None:
    code = (
        f"import os, json, sys; import {package}; print(json.dumps([dict(os.environ), 'onnxruntime' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=True)
    environment, has_library = json.loads(done.stdout)
    assert SWITCHES.items() <= environment.items()
    assert not has_library


def test_no_runtime_and_no_part_of_training_looks_anybody_up_or_leaves_a_foreign_file(tmp_path: Path) -> None:
    home, trace = tmp_path / "home", tmp_path / "trace"
    home.mkdir()
    code = (
        "import train.cli, train.loop, train.yamnet, deploy.verify\n"
        "from streamtag.bundle import Bundle\n"
        "from streamtag.runtimes import open_runtime\n"
        "for name in ('onnxruntime', 'openvino', 'torch'): open_runtime(Bundle.open(), name)\n"
    )
    tracer = ["strace", "-f", "-q", "--seccomp-bpf", "-e", CALLS, "-o", str(trace)]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    subprocess.run([*tracer, sys.executable, "-W", "ignore", "-c", code], env=environment, check=True)
    calls = trace.read_text().splitlines()
    assert [call for call in calls if LOOK_UP.search(call) or ADDRESS.search(call)] == []
    # Matplotlib's list of the fonts here is its own, and tells nobody anything.
    left = {path.relative_to(home).parts[:2] for path in home.rglob("*") if path.is_file()}
    assert left <= {(".cache", "streamtag"), (".cache", "matplotlib"), (".config", "matplotlib")}


def test_the_demo_and_its_page_look_nobody_up_and_leave_no_foreign_file(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("home", "tmp", "work")}
    for folder in folders.values():
        folder.mkdir()
    trace, port = tmp_path / "trace", free_port()
    environment = f"env -i -C {folders['work']} HOME={folders['home']} TMPDIR={folders['tmp']}"
    tracer = f"{shutil.which('strace')} -D -f -q --seccomp-bpf -e {CALLS} -o {trace}"
    arguments = ("demo", "--endpoint", "tcp://127.0.0.1:*", "--port", port)
    with running(*arguments, through=f'exec {environment} {tracer} "$@"') as command:
        command.wait_message(kind="scores")
        due = time.monotonic() + AFTER_SECONDS
        wait_until(lambda: answers(port), 60, "the page")
        wait_until(lambda: time.monotonic() >= due, AFTER_SECONDS + 1, "what libraries do some time after the start")
        assert command.end() == 0
    wait_until(lambda: "+++ exited" in trace.read_text().splitlines()[-1], 60, "the end of the trace")
    calls = trace.read_text().splitlines()
    assert any("127.0.0.1" in call for call in calls)  # the page's own, to the service
    assert [call for call in calls if LOOK_UP.search(call)] == []
    strangers = {place for call in calls for found in ADDRESS.findall(call) for place in found if place}
    assert strangers <= set(HERE)
    left = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file() and path != trace]
    assert set(left) <= {"home/.cache/streamtag/fastest.json"}
