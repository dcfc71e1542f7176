import json
import signal
import socket
from pathlib import Path
from urllib.request import urlopen

import pytest

from streamtag.cli.demo import demo_config
from streamtag.cli.page import is_free
from streamtag.settings import Config, ServiceSettings
from streamtag.wire import Subscriber
from tests.cli.commands import error_of, run, running
from tests.ports import free_port
from tests.real.servers import wait_until
from tests.wire.receiving import received


def test_the_demo_prints_one_json_object_a_line_and_ends_by_the_clock(config: Path) -> None:
    for seconds in (5, 30):  # the second on a machine that needs the first to begin
        done = run("--config", config, "demo", "--seconds", seconds, "--no-dashboard")
        assert (done.returncode, done.stderr) == (0, "")
        messages = [json.loads(line) for line in done.stdout.splitlines()]
        scores = [each for each in messages if each["kind"] == "scores"]
        if len(scores) > 1:
            break
    assert [each["start"] for each in scores[:2]] == [0.0, 0.96]
    assert all(each["stream"] == "demo" and each["top"] for each in scores)
    states = [each["state"] for each in messages if each["kind"] == "status"]
    assert states[-1] == "ended"
    assert "live" in states
    assert any(each["kind"] == "service" for each in messages)


def test_another_program_can_subscribe_to_the_demo_and_a_signal_ends_it(config: Path) -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with (
        running("--config", config, "demo", "--no-dashboard", "--endpoint", endpoint) as command,
        Subscriber(endpoint, ["demo"], ["scores"]) as subscriber,
    ):
        assert received(subscriber).rolling is not None
        assert command.end(signal.SIGINT) == 0


def test_an_endpoint_in_use_is_one_line(config: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        line = error_of("--config", config, "demo", "--no-dashboard", "--endpoint", endpoint, status=1)
        assert endpoint in line
        assert "in use" in line


def test_a_web_page_port_in_use_is_one_line(config: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = error_of("--config", config, "demo", "--port", port, status=1)
        assert f"port {port} for the web page is in use" in line


@pytest.mark.timeout(180)
def test_the_web_page_comes_and_goes_with_the_demo(config: Path) -> None:
    port = free_port()
    with running("--config", config, "demo", "--port", port) as command:
        command.wait_message(kind="scores")
        wait_until(lambda: not is_free(port), 100, "the web page's start")
        with urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert answer.status == 200
        assert command.end() == 0
        assert f"http://127.0.0.1:{port}" in command.wait_error("web page")
    wait_until(lambda: is_free(port), 60, "the web page's end")


def test_the_demo_takes_pcm_at_another_port_if_its_own_is_taken() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 5557))
        except OSError:
            pass  # somebody else has it: that is as good
        else:
            taken.listen()
        assert demo_config(Config()).service.input == "tcp://127.0.0.1:*"


def test_the_web_page_is_told_the_port_that_is_taken_for_any() -> None:
    endpoint = demo_config(Config(), "tcp://127.0.0.1:*").service.endpoint
    assert endpoint.rpartition(":")[2].isdecimal()


def test_the_demo_keeps_the_settings_but_not_the_streams() -> None:
    settings = ServiceSettings(endpoint="tcp://127.0.0.1:7001", input="tcp://127.0.0.1:7002")
    config = demo_config(Config(service=settings), "tcp://127.0.0.1:7003")
    assert (config.service.endpoint, config.service.input) == ("tcp://127.0.0.1:7003", "tcp://127.0.0.1:7002")
    (stream,) = config.streams
    assert (stream.id, stream.realtime, stream.loop) == ("demo", True, True)
    assert Path(stream.source.removeprefix("file:")).is_file()
