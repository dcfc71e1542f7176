"""A service that crashes is there again by itself, and says so; one that is ended stays ended."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from streamtag.wire import Message, Subscriber
from tests.cli.commands import Running, running
from tests.real.servers import wait_until
from tests.sounds import tone, write


@pytest.fixture
def playing(config: Path, tmp_path: Path) -> Path:
    """A configuration with one recording that is played for ever."""
    write(tmp_path / "tone.wav", tone(2.0, 1000))
    with config.open("a") as file:
        file.write('[[stream]]\nid = "porch"\nsource = "tone.wav"\nrealtime = true\nloop = true\n')
    return config


def served_by(command: Running) -> psutil.Process:
    (service,) = psutil.Process(command.process.pid).children()
    return service


def wait_for(subscriber: Subscriber, kind: str, **wanted: object) -> Message:
    while True:
        message = subscriber.receive(100)
        assert message is not None
        if message.header["kind"] == kind and wanted.items() <= message.header.items():
            return message


def test_a_service_that_crashes_comes_back_with_its_streams_and_tells_of_it(playing: Path) -> None:
    with running("run", playing) as command:
        endpoint = command.wait_error("publishing on").split()[-1]
        with Subscriber(endpoint) as subscriber:
            for crashes, number in enumerate((signal.SIGABRT, signal.SIGSEGV, signal.SIGKILL), start=1):
                first = wait_for(subscriber, "scores", stream="porch").header["session"]
                served_by(command).send_signal(number)
                command.wait_error(f"the service crashed ({number.name}) and is started again in")
                assert wait_for(subscriber, "service", restarts={"service": crashes}).header["session"] != first
        assert command.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT])
def test_one_that_is_ended_stays_ended(playing: Path, number: signal.Signals) -> None:
    with running("run", playing, environment={"PYTHONFAULTHANDLER": ""}) as command:
        command.wait_error("publishing on")
        service = served_by(command)
        status = 0 if number in (signal.SIGTERM, signal.SIGINT) else -number
        assert command.end(number) == status
        assert not service.is_running()


def test_who_kills_the_watching_process_has_killed_the_service(playing: Path) -> None:
    with running("run", playing) as command:
        command.wait_error("publishing on")
        service = served_by(command)
        command.end(signal.SIGKILL)
        wait_until(lambda: not service.is_running() or service.status() == psutil.STATUS_ZOMBIE, 20, "its end")
    with running("run", playing) as command:
        command.wait_error("publishing on")


PROGRAM = """
import os, sys
from streamtag.cli import main, run
def crash(path):
    os.abort()
import streamtag.config
streamtag.config.load_config = crash
sys.exit(main(["run", sys.argv[1]]))
"""


def test_what_crashes_before_it_was_ready_ends(config: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM, config], capture_output=True, timeout=50)
    assert ended.returncode == -signal.SIGABRT
