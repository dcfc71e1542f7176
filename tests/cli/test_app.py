import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from streamtag.cli.app import build_parser
from tests.cli.commands import error_of, run

Call = Callable[..., CompletedProcess[str]]


def test_asking_for_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from streamtag.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'scipy', 'zmq', 'msgspec', 'rich', 'av', 'onnxruntime', 'sounddevice', 'gradio', 'torch'}\n"
        "sys.exit(f'loaded: {heavy & sys.modules.keys()}' if heavy & sys.modules.keys() else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "COMMAND" in done.stdout


@pytest.mark.parametrize(
    "command",
    ["demo", "listen", "run", "tag", "subscribe", "dashboard", "devices", "models", "doctor", "bench"],
)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([command, "--help"])
    assert ended.value.code == 0
    assert command in capsys.readouterr().out


def test_the_version_is_the_packages() -> None:
    assert run("--version").stdout == f"streamtag {version('streamtag')}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["dance"],
        ["tag"],
        ["tag", "x.wav", "--format", "xml"],
        ["tag", "x.wav", "--top", "0"],
        ["tag", "x.wav", "--jobs", "many"],
        ["demo", "--seconds", "-1"],
        ["demo", "--seconds", "nan"],
        ["demo", "--port", "70000"],
        ["demo", "--endpoint", "127.0.0.1:5556"],
        ["subscribe", "nowhere"],
        ["subscribe", "--stream", "a b"],
        ["subscribe", "--kind", "noise"],
        ["subscribe", "--count", "0"],
        ["models"],
    ],
)
def test_wrong_usage_has_exit_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(arguments)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_without_a_command_the_help_is_shown_and_the_exit_status_is_2() -> None:
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert "print what a service publishes" in done.stderr


def test_a_wrong_configuration_has_exit_status_2_and_one_line(call: Call, tmp_path: Path) -> None:
    config = tmp_path / "typo.toml"
    config.write_text('[service]\nendpiont = "tcp://127.0.0.1:5556"\n')
    assert "line 2: [service] endpiont: unknown key" in error_of("run", config, status=2)
    for arguments in (["models", "info"], ["tag", "x.wav"], ["demo"], ["subscribe"], ["doctor"], ["bench"]):
        done = call("--config", config, *arguments)
        assert done.returncode == 2
        assert "line 2: [service] endpiont: unknown key" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert "cannot be read" in call("--config", tmp_path / "none.toml", "tag", "x.wav").stderr


def test_a_password_in_a_wrong_configuration_is_not_shown(tmp_path: Path) -> None:
    config = tmp_path / "camera.toml"
    config.write_text('[[stream]]\nid = "a b"\nsource = "rtsp://user:hunter2@camera/audio"\n')
    assert "hunter2" not in error_of("run", config, status=2)


def test_a_damaged_bundle_has_exit_status_1_and_one_line(call: Call, bundle: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in bundle.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes())
    with (damaged / "model.onnx").open("ab") as model:
        model.write(b"more")
    assert "model.onnx is damaged" in error_of("tag", "--bundle", damaged, "x.wav", status=1)
    done = call("models", "info", "nothing")
    assert done.returncode == 1
    assert "no such bundle" in done.stderr


def test_a_reader_that_has_enough_is_no_error(bundle: Path, recordings: Path) -> None:
    files = [str(recordings / "beeps.wav")] * 4
    command = [sys.executable, "-m", "streamtag", "tag", "--bundle", str(bundle), "--format", "json", *files]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_models_info_gives_the_manifest(call: Call, bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert json.loads(call("models", "info", bundle, "--json").stdout) == manifest
    assert "labels   8: Rumble; Low hum" in call("models", "info", bundle).stdout


def test_models_info_says_what_each_label_was_learnt_from_and_which_are_weak(call: Call) -> None:
    manifest = json.loads(call("models", "info", "fast", "--json").stdout)
    rows = call("models", "info", "fast").stdout.partition("LABEL ")[2].splitlines()[1:]
    assert len(rows) == manifest["labels"]["count"]
    told = {row[: row.index("  ")]: row.split("  ", 1)[1].split() for row in rows}
    assert {label for label, words in told.items() if "weak:" in words} == set(manifest["weak_labels"])
    for label, learnt in manifest["data"]["labels"].items():
        assert told[label][:2] == [str(learnt["recordings"]), str(learnt["sources"])]


def test_models_list_names_the_packaged_bundles(call: Call) -> None:
    listed = json.loads(call("models", "list", "--json").stdout)
    names = [line.split()[0] for line in call("models", "list").stdout.splitlines()[1:]]
    assert [bundle["name"] for bundle in listed] == names


LEVELS = """
import logging
from streamtag.cli import main
main(["--log-level", "debug", "models", "list"])
names = ("streamtag.dashboard.server", "uvicorn.error", "websockets", "httpx", "python_multipart")
print([logging.getLogger(name).isEnabledFor(logging.DEBUG) for name in names])
"""


def test_debug_shows_what_the_program_does_and_not_what_libraries_are_given() -> None:
    """Headers with cookies and passwords, for one."""
    told = subprocess.run([sys.executable, "-c", LEVELS], capture_output=True, text=True, check=True, timeout=100)
    assert told.stdout.splitlines()[-1] == "[True, False, False, False, False]"
