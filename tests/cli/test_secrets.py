"""A password in a source, written in every way that people find, shows nowhere."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from streamtag.cli import main
from streamtag.dashboard.hub import Hub
from streamtag.wire import Subscriber
from tests.cli.commands import error_of, run, running
from tests.sources.secret_ways import PASSWORD, WAYS

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def described(tmp_path: Path) -> str:
    """A session description that holds the password."""
    path = tmp_path / "camera.sdp"
    path.write_text(f"v=0\r\no=- 0 0 IN IP4 admin:{PASSWORD}@camera.invalid\r\ns=x\r\nm=audio 0 RTP/AVP 0\r\n")
    return f"sdp:{path}"


@pytest.fixture
def cameras(config: Path, described: str, tmp_path: Path) -> Path:
    """A configuration with a stream for each way, and a history."""
    lines = [f'[history]\npath = "{tmp_path}/history.sqlite"\nclips = true\n']
    for number, source in enumerate([*WAYS.values(), described]):
        lines.append(f'[[stream]]\nid = "way-{number}"\nsource = {json.dumps(source)}\n')
    with config.open("a") as file:
        file.writelines(lines)
    return config


def test_a_service_shows_no_password_in_log_status_history_page_or_process_list(cameras: Path, tmp_path: Path) -> None:
    wanted = {f"way-{number}" for number in range(len(WAYS) + 1)} - {f"way-{list(WAYS).index('pushed')}"}
    told: dict[str, dict[str, object]] = {}
    shown = []
    with running("--log-level", "debug", "run", cameras) as command:
        endpoint = command.wait_error("publishing on").split()[-1]
        hub = Hub(endpoint)
        hub.start()
        with Subscriber(endpoint, kinds=["status", "service"]) as subscriber:
            while not wanted <= {id_ for id_, header in told.items() if header["state"] != "starting"}:
                message = subscriber.receive(60)
                assert message is not None, wanted - told.keys()
                shown.append(repr(message.header))
                if message.header["kind"] == "status":
                    told[message.header["stream"]] = message.header
        children = psutil.Process(command.process.pid).children(recursive=True)
        shown += [str(child.cmdline()) + str(child.environ()) for child in children]
        shown += [repr(hub.status(id_)) for id_ in wanted]
        hub.stop()
        assert command.end() == 0
        shown += command.rest_of_errors()
    assert {header["state"] for header in told.values()} <= {"failed", "reconnecting", "stalled"}
    shown += [path.read_bytes().decode("latin-1") for path in tmp_path.glob("history.sqlite*")]
    assert [text for text in shown if PASSWORD in text] == []


def test_tagging_a_url_shows_no_password(call: Call, bundle: Path, described: str, tmp_path: Path) -> None:
    for form in ("table", "jsonl", "csv"):
        done = call("--log-level", "debug", "tag", "--bundle", bundle, "--format", form, *WAYS.values(), described)
        assert done.returncode == 1
        assert PASSWORD not in done.stdout + done.stderr
    out = tmp_path / "out"
    call("tag", "--bundle", bundle, "--format", "jsonl", "--output", out, *WAYS.values())
    written = {str(path): path.read_text() for path in out.rglob("*.jsonl")}
    assert written
    assert PASSWORD not in repr(written)


def test_a_password_in_another_place_of_the_command_line_is_not_echoed(capsys: pytest.CaptureFixture[str]) -> None:
    source = WAYS["as it should be"]
    for arguments in (
        [source],
        ["listen", "--rate", source],
        ["listen", "--endpoint", source],
        ["listen", "--device", source],
        ["tag", "--format", source, "x"],
        ["subscribe", source],
        ["subscribe", "--stream", source],
        ["models", "info", source],
        ["--config", source, "doctor"],
        ["dashboard", "--connect", source],
        ["dashboard", "--auth", f"admin:{PASSWORD}"],
        ["dashboard", "--token-file", PASSWORD],
    ):
        try:
            status: object = main(arguments)
        except SystemExit as ended:
            status = ended.code
        assert status != 0, arguments
        assert PASSWORD not in repr(capsys.readouterr()), arguments
    assert PASSWORD not in error_of("run", source, status=2)  # it forks, which no test's process must


@pytest.mark.parametrize("way", ["as it should be", "one slash", "a blank in it", "no scheme"])
def test_a_password_in_another_place_of_the_configuration_is_not_echoed(call: Call, config: Path, way: str) -> None:
    source, plain = json.dumps(WAYS[way]), config.read_text()
    for wrong in (
        f"source = {source}\n",
        f'[[stream]]\nid = {source}\nsource = "a.wav"\n',
        f'[[stream]]\nid = "a"\nsource = [{source}]\n',
        f'[[stream]]\nid = "a"\nsources = {source}\n',
        f'[[stream]]\nid = "a"\nsource = {WAYS[way]}\n',
        f'[[stream]]\nid = "a"\nsource = {source}\nloop = {source}\n',
        f'[[stream]]\nid = "a"\n{source} = 1\n',
        f"[{source}]\n",
        f"[scores]\nrolling = {source}\n",
    ):
        config.write_text(plain + wrong)
        done = call("--config", config, "doctor")
        assert done.returncode == 2
        assert PASSWORD not in done.stdout + done.stderr


def test_the_doctor_shows_no_password(bundle: Path, cameras: Path) -> None:
    # With a model it would try every runtime, none of which knows a stream.
    cameras.write_text(cameras.read_text().replace(str(bundle), "./none"))
    done = run("--log-level", "debug", "--config", cameras, "doctor", "--json")
    assert json.loads(done.stdout)["checks"]
    assert PASSWORD not in done.stdout + done.stderr
