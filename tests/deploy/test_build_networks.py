"""The build check of the paper's networks: a real parser and builder take them behind the front end.

They are built at an eighth of their width: of the same layers, of which a hundredth of the time is spent on weights.
"""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from streamtag.audio import PATCH_SAMPLES
from streamtag.bundle import Bundle
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
_LARGE = {"fully_connected", "alexnet", "inception_v3", "resnet50", "vgg"}
_PRECISIONS = ["float32", "float16", "int8"]
_PACKAGED = Bundle.open("default")


def thin(network: nn.Module) -> nn.Module:
    """Give the network's layers an eighth of their channels, in place; they had no weights yet."""

    def eighth(channels: int) -> int:
        return channels if channels % 8 or channels < 16 or channels == _EXAMPLE.numel() else channels // 8

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
