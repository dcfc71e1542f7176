"""A build check: a real parser and builder, TensorRT-RTX's, take every exported graph.

It needs no GPU. It shows that the graphs are what TensorRT takes and that the building code calls real interfaces with
the right arguments; it says nothing of scores or speed, which the tests marked `gpu` try. The paper's large networks
are built at an eighth of their width: of the same layers, of which a hundredth of the time is spent on weights.
"""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import tensorrt_rtx_bindings
import torch
from torch import nn

from streamtag.audio import PATCH_SAMPLES
from streamtag.bundle import Bundle
from streamtag.errors import RuntimeUnavailableError
from streamtag.foreign.yamnet_file import read_yamnet_tables
from streamtag.foreign.yamnet_graphs import yamnet_graph
from streamtag.runtimes import load_runtime
from tests.foreign.tflite import write_yamnet
from tests.runtimes.fake_cuda import FakeCuda
from tests.runtimes.stand_ins import modules
from train.export import graphs
from train.export.modules import HalfBody, LogMel, Scores
from train.networks import NETWORKS, make_network

# It knows no timing cache, and says so.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Timing cache operations are no-ops:DeprecationWarning"),
    pytest.mark.timeout(600),
]

_LABELS = 10
_EXAMPLE = torch.zeros(1, 1, 96, 64)
_LARGE = {"alexnet", "inception_v3", "resnet50", "vgg"}
_PRECISIONS = ["float32", "float16", "int8"]
_PACKAGED = Bundle.open("default")
_FILES = sorted(file for file in _PACKAGED.files if file.startswith("tensorrt/"))


@pytest.fixture
def building(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The building code, with TensorRT-RTX in TensorRT's place: the same names, another version."""
    with modules(tensorrt=tensorrt_rtx_bindings, cuda=FakeCuda()):
        load_runtime("tensorrt")
        from streamtag.runtimes import tensorrt_build

        monkeypatch.setattr(tensorrt_build, "supported_version", lambda: "11")
        yield tensorrt_build


def test_the_packaged_model_has_a_graph_of_each_input_and_precision() -> None:
    names = {f"tensorrt/{kind}.{precision}.onnx" for kind in ("patches", "waveform") for precision in _PRECISIONS}
    assert set(_FILES) == names | {"tensorrt/pcm.float16.onnx"}


@pytest.mark.parametrize("file", _FILES)
def test_every_graph_of_the_packaged_model_builds(building: ModuleType, file: str) -> None:
    told: list[tuple[str, int, int]] = []
    precision = _PACKAGED.files[file]["precision"]
    plan, _ = building.build_plan(_PACKAGED.read(file), precision, 1024, progress=lambda *step: told.append(step))
    assert len(plan) > 1 << 20
    assert told


def test_yamnets_graph_builds(building: ModuleType, tmp_path: Path) -> None:
    tables = read_yamnet_tables(write_yamnet(tmp_path / "yamnet.tflite"))
    graph = yamnet_graph(tables, "waveform", "signed")  # the one that differs most from those of networks made here
    plan, _ = building.build_plan(graph, "int8", 64, progress=lambda *_: None)
    assert len(plan) > 1 << 20


def thin(network: nn.Module) -> nn.Module:
    """Give the network's layers an eighth of their channels, in place; they had no weights yet."""

    def eighth(channels: int) -> int:
        return channels if channels % 8 or channels < 16 else channels // 8

    def thinner(layer: nn.Module) -> nn.Module:
        match layer:
            case nn.Conv2d():
                channels = eighth(layer.in_channels), eighth(layer.out_channels)
                shape: Any = {name: getattr(layer, name) for name in ("kernel_size", "stride", "padding")}
                return nn.Conv2d(*channels, **shape, bias=layer.bias is not None)
            case nn.BatchNorm2d():
                return nn.BatchNorm2d(eighth(layer.num_features))
            case nn.Linear():
                return nn.Linear(eighth(layer.in_features), eighth(layer.out_features))
        return layer

    for module in list(network.modules()):
        for name, layer in list(module.named_children()):
            setattr(module, name, thinner(layer))
    return network


@pytest.fixture(scope="module")
def front_end(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("front") / "front.onnx"
    graphs.write_graph(LogMel(), torch.zeros(1, PATCH_SAMPLES), "waveform", path, ("log_mel",))
    return path


@pytest.fixture(scope="module", params=sorted(NETWORKS.keys() - {_PACKAGED.manifest["network"]["name"]}))
def paper(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Scores, Path]:
    """One of the paper's networks, and its float32 graph."""
    with torch.device("meta" if request.param in _LARGE else "cpu"):
        network = make_network(request.param, _LABELS)
    network.competition = 0.5  # as a fitted last layer has it
    scores = Scores(thin(network) if request.param in _LARGE else network)
    path = tmp_path_factory.mktemp(request.param) / "float32.onnx"
    graphs.write_graph(scores, _EXAMPLE, "patches", path)
    return scores, path


@pytest.mark.parametrize("precision", _PRECISIONS)
def test_every_network_of_the_paper_builds_behind_the_front_end(
    building: ModuleType, paper: tuple[Scores, Path], front_end: Path, tmp_path: Path, precision: str
) -> None:
    scores, source = paper
    path = tmp_path / "graph.onnx" if precision != "float32" else source
    if precision == "float16":
        graphs.write_graph(HalfBody(scores), _EXAMPLE, "patches", path)
    elif precision == "int8":
        graphs.quantise(source, path, "patches", _EXAMPLE.numpy(), symmetric=True)
    graphs.join(front_end, path, tmp_path / "waveform.onnx")
    plan, _ = building.build_plan((tmp_path / "waveform.onnx").read_bytes(), precision, 16)
    assert len(plan) > 1 << 20


def test_asymmetric_int8_is_refused_in_one_line(building: ModuleType, tmp_path: Path) -> None:
    scores, example = Scores(make_network("tagnet", _LABELS)), torch.randn(2, 1, 96, 64)
    graphs.write_graph(scores, example, "patches", tmp_path / "graph.onnx")
    graphs.quantise(tmp_path / "graph.onnx", tmp_path / "cpu.onnx", "patches", example.numpy(), symmetric=False)
    with pytest.raises(RuntimeUnavailableError, match=r"^TensorRT (refuses the graph|cannot build the engine): \S.*$"):
        building.build_plan((tmp_path / "cpu.onnx").read_bytes(), "int8", 16)


def test_what_is_no_graph_is_refused_in_one_line(building: ModuleType) -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"^TensorRT refuses the graph: \S.*$"):
        building.build_plan(b"no graph", "float32", 16)
