import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from streamtag.bundle import Bundle
from tests.bundles import LABELS, make_bundle
from tests.runtimes.fake_cuda import FakeCuda
from tests.runtimes.fake_tensorrt import FakeTensorRt
from train.export import graphs
from train.export.modules import HalfBody, Scores
from train.export.tensorrt import write_tensorrt

_OURS = ["cuda", "tensorrt", "tensorrt_build", "tensorrt_cache", "tensorrt_engine"]


class SmallNetwork(nn.Module):
    """Two layers, with outputs that depend on every part of a patch."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(1, 8, 8, 8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 12 * 8, 16), nn.ReLU())
        self.head = nn.Linear(16, labels)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.body(patches)
        return self.head(embedding), embedding


def add_files(folder: Path, precisions: dict[str, str]) -> None:
    """Enter graphs that lie in a bundle's folder into its manifest."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, precision in precisions.items():
        inputs, outputs = graphs.ends(folder / name) if name.endswith(".onnx") else ({}, {})
        content = (folder / name).read_bytes()
        manifest["files"][name] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "precision": precision,
            "inputs": inputs,
            "outputs": outputs,
        }
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle with everything that the export writes, of a small network."""
    folder = make_bundle(tmp_path_factory.mktemp("bundle"))
    scores = Scores(SmallNetwork(len(LABELS)))
    graphs.write_graph(scores, torch.zeros(2, 1, 96, 64), "patches", folder / "model.onnx")
    sample = np.random.default_rng(0).standard_normal((8, 1, 96, 64)).astype(np.float32)
    add_files(folder, {"model.onnx": "float32"} | write_tensorrt(scores, HalfBody(scores), sample, folder))
    return Bundle.open(folder)


@pytest.fixture
def cuda() -> FakeCuda:
    return FakeCuda()


@pytest.fixture(params=["8.6.0", "10.16.1.11", "11.4.0.106"])
def trt(request: pytest.FixtureRequest, cuda: FakeCuda) -> Iterator[FakeTensorRt]:
    """TensorRT of each supported version, and a GPU, where there is neither."""
    fake = FakeTensorRt(cuda, request.param)
    with stand_ins({"tensorrt": fake, "cuda.bindings": ModuleType("cuda.bindings"), "cuda.bindings.runtime": cuda}):
        yield fake


class stand_ins:
    """Put modules in the place of others, and load ours that use them anew; afterwards all is as before."""

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self._modules = modules
        if "cuda.bindings" in modules and "cuda.bindings.runtime" in modules:
            modules["cuda.bindings"].runtime = modules["cuda.bindings.runtime"]  # type: ignore[attr-defined]
        self._names = [*modules, *(f"streamtag.runtimes.{name}" for name in _OURS)]
        self._before: dict[str, ModuleType] = {}

    def __enter__(self) -> None:
        self._before = {name: sys.modules.pop(name) for name in self._names if name in sys.modules}
        sys.modules.update(self._modules)

    def __exit__(self, *_: object) -> None:
        for name in self._names:
            sys.modules.pop(name, None)
        sys.modules.update(self._before)
