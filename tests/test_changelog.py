"""The changelog holds what the version that is built holds."""

import re
import tomllib
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_version_of_the_package_is_cut_with_its_date_below_what_is_not_released() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    name, _, day = headings[1].partition(" - ")
    assert name == f"[{version}]"
    date.fromisoformat(day)
