from pathlib import Path

import numpy as np
import pytest

from tests.bundles import make_bundle
from tests.sounds import noise, tone, write


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """A folder with three recordings, a tone in each at another place, and one that is none."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for number in range(3):
        quiet = noise(1.92 * (number + 1)) * 0.001
        write(folder / f"{number}.flac", np.concatenate([quiet, tone(1.92, 1000), quiet]))
    (folder / "bad.wav").write_text("no sound")
    return folder
