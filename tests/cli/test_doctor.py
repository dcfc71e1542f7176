import json
from pathlib import Path

from streamtag.cli.checks import _ports
from streamtag.settings import Config, ServiceSettings
from tests.cli.commands import run


def test_the_doctor_finds_that_tagging_works(config: Path) -> None:
    done = run("--config", config, "doctor", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is True
    checks = {check["name"]: check for check in report["checks"]}
    for name in ("Python", "packages", "model", "FFmpeg", "ONNX Runtime", "runtime onnxruntime", "cache"):
        assert checks[name]["state"] == "ok", checks[name]
    assert {"GPU", "CPU int8", "microphones", "extra dashboard"} <= checks.keys()
    assert all(check["detail"] for check in checks.values())


def test_only_ports_are_looked_at_as_ports(config: Path) -> None:
    for endpoint in ("ipc:///tmp/streamtag-1", "ipc://@streamtag:5", "tcp://127.0.0.1:*"):
        check_ports = [check.name for check in _ports(Config(service=ServiceSettings(endpoint=endpoint)))]
        assert check_ports == ["port 5557", "port 7860"]


def test_what_is_missing_is_told_with_what_mends_it(config: Path, tmp_path: Path) -> None:
    config.write_text('[model]\nbundle = "/nowhere/bundle"\n')
    (tmp_path / "file").touch()
    done = run("--config", config, "doctor", environment={"XDG_CACHE_HOME": str(tmp_path / "file")})
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    place = next(index for index, line in enumerate(lines) if line.startswith("missing   model"))
    assert "no such bundle" in lines[place]
    assert "→ pip install" in lines[place + 1]
    assert any(line.startswith("optional  cache") for line in lines)
    assert lines[-1] == "tagging does not work: see what is missing"
    assert "\x1b" not in done.stdout
