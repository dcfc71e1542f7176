"""What is installed: requirements, their pins, and the wheel."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
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


@pytest.mark.timeout(300)
def test_the_wheel_holds_the_library_the_model_the_demo_and_the_types_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT]
    subprocess.run(build, check=True, stdin=subprocess.DEVNULL)
    (wheel,) = tmp_path.glob("*.whl")
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
