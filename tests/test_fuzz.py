"""`scripts/fuzz.py`, for a moment: what decodes and scores foreign recordings."""

from pathlib import Path

from scripts import fuzz
from tests.bundles import make_bundle


def test_damaged_recordings_bring_down_nothing_that_serves(tmp_path: Path) -> None:
    options = ["--seed", "1", "--seconds", "3", "--recordings", "40", "--bundle", make_bundle(tmp_path / "tiny")]
    assert fuzz.main([str(option) for option in options]) == 0
