"""A build check: a real parser and builder, TensorRT-RTX's, take every exported graph.

It needs no GPU. It shows that the graphs are what TensorRT takes and that the building code calls real interfaces with
the right arguments; it says nothing of scores or speed, which the tests marked `gpu` try.
"""

from pathlib import Path
from types import ModuleType

import pytest
import torch

from streamtag.bundle import Bundle
from streamtag.errors import RuntimeUnavailableError
from streamtag.foreign.yamnet_file import read_yamnet_tables
from streamtag.foreign.yamnet_graphs import yamnet_graph
from tests.foreign.tflite import write_yamnet
from train.export import graphs
from train.export.modules import Scores
from train.networks import make_network

# It knows no timing cache, and says so.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Timing cache operations are no-ops:DeprecationWarning"),
    pytest.mark.timeout(600),
]

_LABELS = 10
_PRECISIONS = ["float32", "float16", "int8"]
_PACKAGED = Bundle.open("default")
_FILES = sorted(file for file in _PACKAGED.files if file.startswith("tensorrt/"))


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


def test_asymmetric_int8_is_refused_in_one_line(building: ModuleType, tmp_path: Path) -> None:
    scores, example = Scores(make_network("tagnet", _LABELS)), torch.randn(2, 1, 96, 64)
    graphs.write_graph(scores, example, "patches", tmp_path / "graph.onnx")
    graphs.quantise(tmp_path / "graph.onnx", tmp_path / "cpu.onnx", "patches", example.numpy(), symmetric=False)
    with pytest.raises(RuntimeUnavailableError, match=r"^TensorRT (refuses the graph|cannot build the engine): \S.*$"):
        building.build_plan((tmp_path / "cpu.onnx").read_bytes(), "int8", 16)


def test_what_is_no_graph_is_refused_in_one_line(building: ModuleType) -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"^TensorRT refuses the graph: \S.*$"):
        building.build_plan(b"no graph", "float32", 16)
