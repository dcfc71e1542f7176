"""The files that deploy the service are what their readers take."""

import configparser
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import tritonclient
import yaml
from dockerfile_parse import DockerfileParser
from google.protobuf import text_format

from deploy.cli import parser
from deploy.gate import MAP_POINTS
from streamtag.audio import PATCH_SAMPLES
from streamtag.bundle import Bundle
from streamtag.config import load_config
from streamtag.engine.changes import check
from streamtag.runtimes.parity import BATCHES, LIMITS
from streamtag.wire.endpoints import is_local

_ROOT = Path(__file__).parents[2]
_DEPLOY = _ROOT / "deploy"


@pytest.fixture(scope="module")
def schema() -> ModuleType:
    """Triton's description of a model's configuration, without the client around it."""
    (package,) = tritonclient.__path__
    spec = importlib.util.spec_from_file_location("model_config_pb2", Path(package, "grpc", "model_config_pb2.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _container(name: str, tmp_path: Path) -> list[dict[str, Any]]:
    shutil.copy(_DEPLOY / name, tmp_path / "Dockerfile")
    return [part for part in DockerfileParser(str(tmp_path)).structure if part["instruction"] != "COMMENT"]


@pytest.mark.parametrize("name", ["Containerfile.cpu", "Containerfile.gpu"])
class TestContainerfile:
    def test_it_is_made_of_known_instructions(self, name: str, tmp_path: Path) -> None:
        known = {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN", "USER"}
        assert {part["instruction"] for part in _container(name, tmp_path)} <= known | {"WORKDIR"}

    def test_everything_copied_from_the_repository_is_there_and_not_ignored(self, name: str, tmp_path: Path) -> None:
        ignored = (_ROOT / ".dockerignore").read_text().splitlines()
        copies = [part["value"].split() for part in _container(name, tmp_path) if part["instruction"] == "COPY"]
        sources = [source for words in copies if not words[0].startswith("--from") for source in words[:-1]]
        assert {"streamtag", "requirements", "pyproject.toml"} <= set(sources)
        for source in sources:
            assert (_ROOT / source).exists()
            assert f"!{source.partition('/')[0]}" in ignored

    def test_it_pins_its_base_and_leaves_no_package_lists(self, name: str, tmp_path: Path) -> None:
        parts = _container(name, tmp_path)
        named = [part["value"] for part in parts if part["instruction"] in ("FROM", "ARG")]
        bases = [value for value in named if not value.startswith(("VERSION=", "REVISION="))]
        assert all(re.search(r":\d[\w.-]+( AS \w+)?$", base) or "${BASE}" in base for base in bases)
        for part in parts:
            if "apt-get install" in part["value"]:
                assert "--no-install-recommends" in part["value"]
                assert "rm -rf /var/lib/apt/lists/*" in part["value"]

    def test_the_service_runs_without_rights_and_its_health_is_watched(self, name: str, tmp_path: Path) -> None:
        last = {part["instruction"]: part["value"] for part in _container(name, tmp_path)}
        assert last["USER"] == "10001"
        assert last["ENTRYPOINT"] == '["streamtag"]'
        assert last["CMD"] == '["run", "/etc/streamtag/streamtag.toml"]'
        assert "health" in last["HEALTHCHECK"]
        assert "org.opencontainers.image.version" in last["LABEL"]

    def test_what_is_installed_is_known_by_its_hash_or_copied(self, name: str, tmp_path: Path) -> None:
        for part in _container(name, tmp_path):
            for command in part["value"].split("&&"):
                if " install " in command and "pip" in command:
                    assert "--require-hashes" in command or "--no-deps" in command, command
                    for lock in re.findall(r"requirements/[\w-]+\.txt", command):
                        assert (_ROOT / lock).is_file()


class TestCompose:
    @pytest.fixture
    def services(self) -> dict[str, Any]:
        services: dict[str, Any] = yaml.safe_load((_DEPLOY / "compose.yaml").read_text())["services"]
        return services

    def test_each_service_builds_from_a_file_that_is_there(self, services: dict[str, Any]) -> None:
        assert set(services) == {"cpu", "gpu"}
        for service in services.values():
            context = (_DEPLOY / service["build"]["context"]).resolve()
            assert (context / service["build"]["dockerfile"]).is_file()

    def test_its_keys_are_those_of_the_compose_specification(self, services: dict[str, Any]) -> None:
        known = {"build", "cap_drop", "command", "deploy", "image", "init", "logging", "ports", "profiles", "read_only"}
        known |= {"restart", "security_opt", "stop_grace_period", "tmpfs", "ulimits", "volumes", "user"}
        known |= {"mem_limit", "memswap_limit", "pids_limit"}
        for service in services.values():
            assert set(service) <= known

    def test_services_are_locked_down_and_stay_on_this_machine(self, services: dict[str, Any]) -> None:
        for service in services.values():
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]
            assert service["user"] == "10001:10001"
            assert service["mem_limit"] == service["memswap_limit"]
            assert service["pids_limit"] > 10_000
            assert all("mode=0700" in mount for mount in service["tmpfs"])
            assert all(port.startswith("127.0.0.1:") for port in service["ports"])

    def test_only_the_gpu_service_reserves_a_gpu(self, services: dict[str, Any]) -> None:
        (device,) = services["gpu"]["deploy"]["resources"]["reservations"]["devices"]
        assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
        assert "deploy" not in services["cpu"]

    def test_mounted_files_are_there(self, services: dict[str, Any]) -> None:
        for service in services.values():
            files = [volume.split(":")[0] for volume in service["volumes"] if volume.startswith("./")]
            assert files
            assert all((_DEPLOY / file).is_file() for file in files)


@pytest.mark.parametrize("name", ["streamtag.toml", "container.toml"])
def test_the_configuration_is_one_that_the_service_takes(name: str) -> None:
    config = load_config(_DEPLOY / name)
    assert config.model.runtime == "auto"
    assert config.service.endpoint.endswith(":5556")
    check(config, [Bundle.open().label_set])


def test_the_configuration_under_systemd_keeps_to_this_machine() -> None:
    service = load_config(_DEPLOY / "streamtag.toml").service
    assert is_local(service.endpoint)
    assert service.input is not None
    assert is_local(service.input)
    assert not service.open


def _unit(name: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign] # as its documentation has it
    parser.read(_DEPLOY / name)
    return parser


class TestUnit:
    @pytest.fixture
    def unit(self) -> configparser.RawConfigParser:
        return _unit("streamtag.service")

    @pytest.mark.parametrize(
        ("name", "start", "target"),
        [
            ("streamtag.service", "/streamtag run /etc/streamtag/streamtag.toml", "multi-user.target"),
            ("streamtag-user.service", "/streamtag run %E/streamtag/streamtag.toml", "default.target"),
        ],
    )
    def test_it_runs_the_service_looks_after_it_and_reloads_it(self, name: str, start: str, target: str) -> None:
        unit = _unit(name)
        service = unit["Service"]
        assert service["ExecStart"].endswith(start)
        assert service["ExecReload"] == "/bin/sh -c 'kill -HUP $$MAINPID'"  # a small system has no /bin/kill
        assert service["Restart"] == "on-failure"
        assert (service["Type"], service["NotifyAccess"]) == ("notify", "main")
        assert int(service["WatchdogSec"]) > 4 * 5  # every thread takes a turn in 5 s, and half of it may pass
        assert unit["Install"]["WantedBy"] == target

    @pytest.mark.parametrize("name", ["streamtag.service", "streamtag-user.service"])
    def test_what_it_may_take_is_bounded(self, name: str) -> None:
        service = _unit(name)["Service"]
        assert service["MemoryMax"] == "75%"
        assert int(service["TasksMax"]) > 10_000  # a thread waits for each network stream
        assert service["UMask"] == "0077"
        assert service["LimitCORE"] == "0"  # what is heard is in it

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("User", "streamtag"),
            ("NoNewPrivileges", "yes"),
            ("CapabilityBoundingSet", ""),
            ("ProtectSystem", "strict"),
            ("ProtectHome", "yes"),
            ("PrivateTmp", "yes"),
            ("DevicePolicy", "closed"),
            ("SystemCallArchitectures", "native"),
            ("StateDirectoryMode", "0700"),
            ("CacheDirectoryMode", "0700"),
        ],
    )
    def test_it_is_locked_down(self, unit: configparser.RawConfigParser, key: str, value: str) -> None:
        assert unit["Service"][key] == value

    @pytest.mark.parametrize(
        ("name", "manager", "most"), [("streamtag.service", "--system", 1.8), ("streamtag-user.service", "--user", 6.3)]
    )
    def test_systemd_takes_it_and_finds_it_as_locked_down_as_the_guide_says(
        self, tmp_path: Path, name: str, manager: str, most: float
    ) -> None:
        assert shutil.which("systemd-analyze"), "install Debian's package systemd"
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
        text = (_DEPLOY / name).read_text()
        unit = tmp_path / name
        unit.write_text(re.sub("ExecStart=[^ ]+", "ExecStart=/bin/true", text))
        verify = ["systemd-analyze", manager, "verify", str(unit)]
        verified = subprocess.run(verify, capture_output=True, text=True, check=False, env=environment)
        assert verified.returncode == 0, verified.stderr
        assert not verified.stderr
        command = ["systemd-analyze", "security", "--offline=true", f"--threshold={10 * most:.0f}", str(unit)]
        exposed = subprocess.run(command, capture_output=True, text=True, check=False)
        assert exposed.returncode == 0, exposed.stdout
        assert f"| `{name}` | {most} |" in (_ROOT / "docs" / "deploy.md").read_text()


class TestTriton:
    @pytest.mark.parametrize(("name", "backend"), [("config.pbtxt", "tensorrt"), ("config.onnx.pbtxt", "onnxruntime")])
    def test_a_configuration_is_of_its_schema(self, schema: ModuleType, name: str, backend: str) -> None:
        config = text_format.Parse((_DEPLOY / "triton" / name).read_text(), schema.ModelConfig())
        assert config.backend == backend
        assert config.max_batch_size == 1024
        (waveform,) = config.input
        assert (waveform.name, list(waveform.dims)) == ("waveform", [PATCH_SAMPLES])

    def test_the_schema_refuses_a_key_that_is_none(self, schema: ModuleType) -> None:
        with pytest.raises(text_format.ParseError):
            text_format.Parse("max_batch: 8", schema.ModelConfig())


class TestGuide:
    @pytest.fixture
    def guide(self) -> str:
        return (_ROOT / "docs" / "deploy.md").read_text()

    def test_every_command_in_it_is_one(self, guide: str) -> None:
        lines = re.findall(r"-m deploy ((?:compile|verify|bench)\b[^#\n`]*)", guide)
        commands = [line.split() for line in lines if "[" not in line]
        assert {words[0] for words in commands} == {"compile", "verify", "bench"}
        for words in commands:
            assert parser().parse_args(words).command == words[0]

    def test_every_place_that_it_points_to_is_there(self, guide: str) -> None:
        headings = {re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in guide.splitlines()}
        links = re.findall(r"\]\(#([\w-]+)\)", guide)
        assert links
        assert set(links) <= headings
        for file in re.findall(r"deploy/[\w./-]+\w", guide):
            assert (_ROOT / file).exists(), file

    def test_its_limits_are_those_of_the_gate(self, guide: str) -> None:
        for precision, limit in LIMITS.items():
            assert re.search(rf"\| {precision} \| no score differs by more than {limit:g} \|", guide)
        assert f"falls by at most {MAP_POINTS:g} points" in guide
        assert f"in batches of {', '.join(map(str, BATCHES[:-1]))} and {BATCHES[-1]}" in guide.replace("\n", " ")
