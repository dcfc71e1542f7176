"""The TensorRT runtime loads in the vendor's container, which may have an older Python and little else."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import vermin

import streamtag

_ROOT = Path(streamtag.__file__).parent
_FILES = [
    "__init__.py",
    "errors.py",
    "quiet.py",
    "runtime_kinds.py",
    "runtimes/__init__.py",
    "runtimes/parity.py",
    "runtimes/cuda.py",
    "runtimes/tensorrt.py",
    "runtimes/tensorrt_build.py",
    "runtimes/tensorrt_cache.py",
    "runtimes/tensorrt_engine.py",
]

_LOAD = """
import importlib.abc, sys, types
sys.path.insert(0, sys.argv[1])
import numpy, numpy.typing
from tests.runtimes.fake_cuda import FakeCuda

class NothingElse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        first = name.partition(".")[0]
        if first not in sys.stdlib_module_names | {"numpy", "streamtag"}:
            raise ModuleNotFoundError("not in this container: " + name)

class ILogger:
    def __init__(self): pass

sys.meta_path.insert(0, NothingElse())
bindings = types.ModuleType("cuda.bindings")
bindings.runtime = FakeCuda()
tensorrt = types.ModuleType("tensorrt")
tensorrt.ILogger = ILogger
sys.modules.update({"cuda": types.ModuleType("cuda"), "cuda.bindings": bindings, "tensorrt": tensorrt})
import streamtag.runtimes.tensorrt as runtime
print(*sorted(name for name in sys.modules if name.startswith("streamtag")))
"""


@pytest.mark.parametrize("file", _FILES)
def test_a_file_is_written_in_python_3_9(file: str) -> None:
    source = (_ROOT / file).read_text()
    ast.parse(source, feature_version=(3, 9))
    least = vermin.visit(source, vermin.Config()).minimum_versions()
    assert max(version for version in least if version) <= (3, 9)


def test_it_loads_with_numpy_cuda_and_tensorrt_alone() -> None:
    command = [sys.executable, "-W", "ignore", "-c", _LOAD, str(_ROOT.parent)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=False)
    assert loaded.returncode == 0, loaded.stderr
    files = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in _FILES[1:]}
    assert set(loaded.stdout.split()) == {"streamtag", *(f"streamtag.{file}" for file in files)}


def test_the_error_for_a_library_that_is_not_whole_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamtag.errors import RuntimeUnavailableError
    from streamtag.runtimes import load_runtime

    monkeypatch.delitem(sys.modules, "streamtag.runtimes.tensorrt", raising=False)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(
        RuntimeUnavailableError, match=r"^runtime tensorrt cannot be loaded \(.*tensorrt.*\): pip install"
    ):
        load_runtime("tensorrt")
