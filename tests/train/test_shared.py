import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from train.shared import Shared


def _values() -> dict[str, NDArray[np.generic]]:
    rng = np.random.default_rng(1)
    return {
        "sound": rng.standard_normal(5000, dtype=np.float32),
        "active": np.arange(7, dtype=np.intp),
        "none": np.zeros((0, 3), np.float16),
        "columns": rng.standard_normal((40, 6)).T,
        "every other": np.arange(20)[::2],
    }


def test_what_reads_a_shared_value_has_the_same_arrays_and_may_not_change_them(tmp_path: Path) -> None:
    with Shared(_values(), tmp_path) as shared:
        sent = pickle.dumps(shared)
        assert len(sent) < 2000
        found = pickle.loads(sent).read()
    for name, value in _values().items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)
    with pytest.raises(ValueError, match="read-only"):
        found["sound"][0] = 1


def test_a_value_without_arrays_is_shared_too(tmp_path: Path) -> None:
    with Shared("Dog", tmp_path) as shared:
        assert shared.read() == "Dog"


def test_the_file_has_no_name_that_could_stay_behind(tmp_path: Path) -> None:
    with Shared(_values(), tmp_path):
        assert not list(tmp_path.iterdir())


def test_processes_that_make_windows_do_without_torch() -> None:
    look = "import sys, train.data.make; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
