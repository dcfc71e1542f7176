import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from streamtag.forked import Forked
from tests.forking import forked_for, own_fork_server

MODULE = "tests.forked_module"


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    """One that finds the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
        patch.setenv("GONE", "there when the server starts")
        with own_fork_server():
            yield


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def started(ends: tuple[socket.socket, socket.socket]) -> tuple[Forked, dict[str, Any]]:
    ours, theirs = ends
    process = Forked(MODULE, theirs.fileno())
    return process, json.loads(ours.recv(10_000))


def server_of(process: Forked) -> psutil.Process:
    found = psutil.Process(process.pid).parent()
    assert found is not None
    return found


def test_its_environment_folder_and_errors_are_as_they_are_when_it_starts(
    ends: tuple[socket.socket, socket.socket],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NAME", "a value")
    monkeypatch.delenv("GONE")
    monkeypatch.chdir(tmp_path)
    process, found = started(ends)
    assert found == {"folder": str(tmp_path), "name": "a value", "gone": None}
    ends[0].send(b"7")
    assert process.wait(30) == 7
    assert capfd.readouterr().err == "said on standard error\n"


def test_how_it_ends_is_told_while_others_go_on(ends: tuple[socket.socket, socket.socket]) -> None:
    first, _ = started(ends)
    second, _ = started(ends)
    assert first.status is None
    assert sorted(forked_for(os.getpid(), MODULE)) == sorted([first.pid, second.pid])
    os.kill(first.pid, signal.SIGSEGV)
    assert first.wait(30) == -signal.SIGSEGV
    assert first.status == -signal.SIGSEGV
    assert second.status is None
    second.kill()
    assert second.wait(30) == -signal.SIGKILL
    second.kill()  # whoever has its number now


def test_an_error_is_written_and_ends_it_alone(
    ends: tuple[socket.socket, socket.socket], capfd: pytest.CaptureFixture[str]
) -> None:
    process, _ = started(ends)
    server = server_of(process)
    ends[0].send(b"r")
    assert process.wait(30) == 1
    assert capfd.readouterr().err.endswith("ZeroDivisionError: of its own\n")
    assert server.is_running()
    assert server.num_threads() == 1  # whoever has threads cannot be forked


def test_what_was_forked_outlives_its_server_and_another_one_takes_its_place(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    first, _ = started(ends)
    server = server_of(first)
    server.kill()
    server.wait(30)
    assert first.wait(0.1) is None
    second, _ = started(ends)
    assert server_of(second).pid != server.pid
    first.kill()
    assert first.wait(30) == 255  # nobody is left to tell how
    ends[0].send(b"0")
    assert second.wait(30) == 0


def test_what_cannot_be_imported_is_an_error_of_the_system(ends: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(OSError, match="its server ended"):
        Forked("tests.nowhere", ends[1].fileno())
    process, _ = started(ends)
    ends[0].send(b"0")
    assert process.wait(30) == 0
