"""What is installed, by which hashes, and what a release holds."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import msgspec
import pytest
import yaml

ROOT = Path(__file__).parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def name_of(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-")


def test_every_requirement_that_make_install_brings_is_pinned() -> None:
    extras = PROJECT["optional-dependencies"]
    wanted = {
        name_of(line) for line in [*PROJECT["dependencies"], *extras["dashboard"], *extras["train"], *extras["dev"]]
    }
    pinned = {name_of(line) for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert wanted - pinned == set()


def test_no_pin_names_a_place_or_a_build() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line), line


def entries(lock: Path) -> dict[str, tuple[str, int]]:
    """Name to version and number of hashes of what a lock file pins."""
    found = {}
    for entry in re.findall(r"^[^\s#-].*(?:\n +--hash=.*)*", lock.read_text(), re.MULTILINE):
        name, version = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", entry)[0]
        found[name_of(name)] = (version, len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry)))
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_locked_version_has_hashes_and_is_the_one_that_is_pinned(lock: Path) -> None:
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    pinned = {name_of(name): version for name, version in pinned.items()}
    found = entries(lock)
    assert found
    for name, (version, hashes) in found.items():
        assert hashes, f"{name}: no hashes; type: make lock"
        assert pinned.get(name, version) == version, f"{name}: another version is pinned; type: make lock"


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("demo", ["dashboard"]),
        ("install", ["dashboard", "metrics", "mqtt", "nats", "notify", "train", "dev"]),
        ("image", ["dashboard", "metrics", "mqtt", "nats", "notify"]),
        ("image-gpu", ["dashboard", "metrics", "mqtt", "nats", "notify", "tensorrt"]),
    ],
)
def test_a_lock_file_holds_all_that_its_extras_ask_for(name: str, extras: list[str]) -> None:
    wanted = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    missing = {name_of(line) for line in wanted} - entries(ROOT / "requirements" / f"{name}.txt").keys() - {"torch"}
    assert not missing, "type: make lock"


def test_make_installs_by_hashes_alone_but_for_a_build_of_torch_that_pip_is_told_of() -> None:
    said = {}
    for target in ("demo", "install", "release"):
        command = ["make", "--dry-run", "--always-make", target]
        said[target] = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        installing = [line for line in said[target].replace("\\\n", "").splitlines() if "pip install" in line]
        assert all("--require-hashes" in line for line in installing)
    assert "scripts/install-locked.sh .venv demo" in said["demo"]
    assert "scripts/install-locked.sh .venv install" in said["install"]
    lines = (ROOT / "scripts" / "install-locked.sh").read_text().splitlines()
    installing = [line.strip() for line in lines if re.match(r"\s+pip |pip --", line)]
    assert installing == [
        'pip --require-hashes --requirement "requirements/$list.txt" "$@"',
        "pip --constraint constraints.txt \"$(grep '^torch==' constraints.txt)\"",
        "pip --no-deps --no-build-isolation --editable .",
    ]


def test_a_file_of_another_hash_is_not_installed(tmp_path: Path, built: Path) -> None:
    shutil.copy(built, tmp_path)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "demo.txt").write_text(f"streamtag==0.1.0 --hash=sha256:{'0' * 64}\n")
    alone = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_FORCE_REINSTALL": "1"}
    command = [str(ROOT / "scripts" / "install-locked.sh"), sys.prefix, "demo"]
    done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by what the lock files bring."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--target", "sdist"]
    command += ["--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_source_is_small_and_builds_the_same_wheel(tmp_path: Path, built: Path) -> None:
    (source,) = built.parent.glob("*.tar.gz")
    assert source.stat().st_size < 15e6
    with tarfile.open(source) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # which Debian 12's Python lacks
        archive.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "again")]
    subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    (again,) = (tmp_path / "again").glob("*.whl")
    with zipfile.ZipFile(built) as one, zipfile.ZipFile(again) as other:
        assert {file.filename: file.CRC for file in one.infolist()} == {
            file.filename: file.CRC for file in other.infolist()
        }


@pytest.mark.timeout(300)
def test_the_wheel_works_in_an_environment_of_its_own(tmp_path: Path, built: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    binaries = tmp_path / "venv" / "bin"
    pip = [sys.executable, "-m", "pip", "--python", str(binaries / "python")]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", str(built)], check=True, stdin=subprocess.DEVNULL)
    # What it needs is lent by this environment, of which nothing else is seen; `make release` installs it anew.
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (packages / "lent.pth").write_text(f"{Path(msgspec.__file__).parent.parent}\n")
    work = tmp_path / "work"
    work.mkdir()
    command = [ROOT / "scripts" / "try-wheel.sh", binaries, work]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert "it works: tag, demo, run, subscribe, dashboard" in done.stdout


def test_the_workflows_are_yaml_that_calls_what_there_is() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = workflow.read_text()
        jobs = yaml.safe_load(text)["jobs"]
        assert all("runs-on" in job or "uses" in job for job in jobs.values())
        assert set(re.findall(r"run: make ([a-z]+)", text)) <= targets
        for file in re.findall(r"file: (deploy/[^,}\s]+)", text):
            assert (ROOT / file).is_file()


@pytest.mark.parametrize("script", sorted((ROOT / "scripts").glob("*.sh")), ids=lambda script: script.stem)
def test_a_script_is_one_and_the_tests_that_it_names_are_there(script: Path) -> None:
    subprocess.run(["sh", "-n", script], check=True)
    text = script.read_text()
    for named in re.findall(r"(?:^| )((?:tests|scripts|deploy)/[\w./-]+)", text):
        assert (ROOT / named).exists(), named


def test_the_bill_of_materials_names_the_packaged_models(tmp_path: Path) -> None:
    file = tmp_path / "sbom.json"
    file.write_text('{"components": []}')
    subprocess.run([sys.executable, ROOT / "scripts" / "sbom_models.py", file], check=True)
    models = json.loads(file.read_text())["components"]
    assert {model["name"] for model in models} >= {"default/model.onnx", "fast/model.int8.onnx"}
    for model in models:
        content = (ROOT / "streamtag" / "bundles" / model["name"]).read_bytes()
        assert model["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}]


@pytest.mark.timeout(300)
def test_the_wheel_holds_library_model_demo_and_types_and_nothing_else(tmp_path: Path, built: Path) -> None:
    wheel = built
    names = set(zipfile.ZipFile(wheel).namelist())
    bundle = {"manifest.json", "labels.csv", "model.onnx", "model.int8.onnx", "card.md", "demo.flac", "demo.json"}
    notice = "streamtag/bundles/NOTICE-EfficientAT.txt"
    assert {f"streamtag/bundles/default/{name}" for name in bundle} | {"streamtag/py.typed", notice} <= names
    assert {f"streamtag/bundles/fast/{name}" for name in bundle if not name.startswith("demo.")} <= names
    assert b"Copyright (c) 2022 Florian Schmid" in zipfile.ZipFile(wheel).read(notice)
    assert {name.partition("/")[0] for name in names} == {"streamtag", wheel.stem.rsplit("-", 3)[0] + ".dist-info"}
    assert not [name for name in names if name.endswith("/waveform.onnx") or "/tensorrt/" in name]
    assert wheel.stat().st_size < 15e6
    unpacked = tmp_path / "unpacked"
    zipfile.ZipFile(wheel).extractall(unpacked)
    # What it goes without is no damage, and whoever asks for it is told where it is.
    code = (
        "from streamtag.bundle import Bundle\n"
        "bundle = Bundle.open()\n"
        "for file in bundle.files: bundle.read(file)\n"
        "print(bundle.lacks('graph for TensorRT'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=unpacked, capture_output=True, text=True, check=True)
    (told,) = done.stdout.splitlines()
    assert told.startswith(f"bundle {unpacked}")
    assert "graph for TensorRT: run from a clone of the repository (pip install --editable)" in told
