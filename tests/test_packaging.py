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


def test_every_requirement_that_make_install_brings_is_pinned():
    extras = PROJECT["optional-dependencies"]
    wanted = {
        name_of(line) for line in [*PROJECT["dependencies"], *extras["dashboard"], *extras["train"], *extras["dev"]]
    }
    pinned = {name_of(line) for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert wanted - pinned == set()


def test_no_pin_names_a_place_or_a_build():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line), line


@pytest.mark.timeout(300)
def test_the_wheel_holds_the_model_the_demo_and_the_types(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT]
    subprocess.run(build, check=True, stdin=subprocess.DEVNULL)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    bundle = {"manifest.json", "labels.csv", "model.onnx", "model.int8.onnx", "card.md", "demo.flac", "demo.json"}
    assert {f"streamtag/bundles/default/{name}" for name in bundle} | {"streamtag/py.typed"} <= names
    assert not [name for name in names if name.startswith(("tests/", "scripts/"))]
