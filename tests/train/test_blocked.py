"""A graph rewritten for ONNX Runtime's blocked layout scores as before, and the layout is kept."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from train.export.blocked import block
from train.export.graphs import run_graph, write_graph
from train.export.modules import FromWaveform, Scores
from train.networks import make_network

PATCHES = np.random.default_rng(0).standard_normal((5, 1, 96, 64)).astype(np.float32)


def reorderings(path: Path, folder: Path) -> int:
    """Return how often ONNX Runtime lays activations out anew on this processor."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(path), options)
    nodes = onnx.load(folder / "optimised.onnx").graph.node
    return sum(node.op_type in ("ReorderInput", "ReorderOutput") for node in nodes)


def scores_of(name: str) -> Scores:
    torch.manual_seed(1)
    network = make_network(name, 7).train()
    for _ in range(3):
        network(torch.randn(8, 1, 96, 64) * 2 - 1)
    return Scores(network)


@pytest.mark.parametrize("name", ["mobilenet_v3", "tagnet"])
def test_the_scores_stay_and_nothing_is_laid_out_anew_between(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_graph(scores_of(name), torch.zeros(2, 1, 96, 64), "patches", path)
    expected = run_graph(path, PATCHES)
    block(path)
    np.testing.assert_allclose(run_graph(path, PATCHES), expected, atol=1e-5)
    np.testing.assert_allclose(run_graph(path, PATCHES[:1]), expected[:1], atol=1e-5)
    assert reorderings(path, tmp_path) <= 2  # after the map of bands, and before the last layer
    onnx.checker.check_model(onnx.load(path), full_check=True)


def test_the_graph_that_takes_samples_scores_as_before(tmp_path: Path) -> None:
    path = tmp_path / "waveform.onnx"
    write_graph(FromWaveform(scores_of("mobilenet_v3")), torch.zeros(2, 15600), "waveform", path)
    samples = 0.1 * np.random.default_rng(0).standard_normal((3, 15600)).astype(np.float32)
    expected = run_graph(path, samples)
    block(path)
    np.testing.assert_allclose(run_graph(path, samples), expected, atol=1e-5)


class Narrow(nn.Module):
    """Convolutions of 4 channels, read by something else between."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 4, 3), between, nn.Conv2d(4, 20, 3), nn.AdaptiveAvgPool2d(1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        out: Tensor = self.layers(x).flatten(1)
        return out, out


@pytest.mark.parametrize(
    ("between", "channels"),
    [(nn.ReLU(), 16), (nn.Conv2d(4, 4, 3, groups=4), 16), (nn.Conv2d(4, 4, 3, groups=2), 4), (nn.Softmax(1), 4)],
)
def test_channels_are_filled_up_where_zeros_stay_zeros(between: nn.Module, channels: int, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_graph(Narrow(between), torch.zeros(2, 1, 96, 64), "patches", path)
    expected = run_graph(path, PATCHES)
    block(path)
    np.testing.assert_allclose(run_graph(path, PATCHES), expected, atol=1e-5)
    graph = onnx.load(path).graph
    weights = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    last = [node for node in graph.node if node.op_type == "Conv"][-1]
    assert weights[last.input[1]] == [20, channels, 3, 3]
