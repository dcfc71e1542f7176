"""torch computes what ONNX Runtime does, of operations and weights alone; nothing in a bundle is run."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import ModelProto, TensorProto, helper, load_model, numpy_helper

from streamtag.bundle import Bundle
from streamtag.cli import main
from streamtag.errors import BundleError
from streamtag.runtime_kinds import RUNTIMES
from streamtag.runtimes import open_runtime
from streamtag.runtimes.torch_graph import Graph, GraphError
from tests.bundles import make_bundle

WEIGHTS = np.random.default_rng(1).standard_normal
IMAGE = WEIGHTS((2, 4, 9, 7)).astype(np.float32)
NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
OPERATIONS: list[tuple[str, dict[str, Any], list[np.ndarray]]] = [
    ("Add", {}, [WEIGHTS((4, 1, 1))]),
    ("AveragePool", {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}, []),
    ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}, []),
    ("BatchNormalization", {"epsilon": 1e-3}, [WEIGHTS(4), WEIGHTS(4), WEIGHTS(4), WEIGHTS(4) ** 2]),
    ("Clip", {}, [np.array(-0.5, np.float32), np.array(0.5, np.float32)]),
    ("Concat", {"axis": 1}, [WEIGHTS((2, 3, 9, 7))]),
    ("Conv", {"pads": [1, 0, 0, 1], "strides": [2, 1], "dilations": [1, 2]}, [WEIGHTS((6, 4, 3, 2)), WEIGHTS(6)]),
    ("Conv", {"group": 4}, [WEIGHTS((4, 1, 3, 3))]),
    ("Div", {}, [WEIGHTS((4, 1, 1))]),
    ("Flatten", {"axis": 2}, []),
    ("GlobalAveragePool", {}, []),
    ("GlobalMaxPool", {}, []),
    ("HardSigmoid", {"alpha": 0.3}, []),
    ("HardSwish", {}, []),
    ("Identity", {}, []),
    ("LeakyRelu", {"alpha": 0.1}, []),
    ("MatMul", {}, [WEIGHTS((7, 3))]),
    ("MaxPool", {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}, []),
    ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, []),
    ("Mul", {}, [WEIGHTS((4, 1, 1))]),
    ("ReduceMax", {"axes": [2], "keepdims": 0}, []),
    ("ReduceMean", {"axes": [1, 3]}, []),
    ("Relu", {}, []),
    ("Reshape", {}, [np.array([0, -1], np.int64)]),
    ("Resize", NEAREST, [np.zeros(0), np.array([1.0, 1, 2, 3])]),
    ("Sigmoid", {}, []),
    ("Softmax", {"axis": 1}, []),
    ("Sub", {}, [WEIGHTS((4, 1, 1))]),
    ("Tanh", {}, []),
    ("Transpose", {"perm": [0, 2, 3, 1]}, []),
]


def model(operation: str, attributes: dict[str, Any], weights: list[np.ndarray]) -> ModelProto:
    tensors = [
        numpy_helper.from_array(
            np.asarray(each, None if np.asarray(each).dtype == np.int64 else np.float32), f"w{place}"
        )
        for place, each in enumerate(weights)
    ]
    node = helper.make_node(operation, ["x", *(tensor.name for tensor in tensors)], ["y"], **attributes)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    graph = helper.make_graph([node], "one", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(("operation", "attributes", "weights"), OPERATIONS, ids=[each[0] for each in OPERATIONS])
def test_an_operation_is_computed_as_onnx_runtime_does(
    operation: str, attributes: dict[str, Any], weights: list[np.ndarray]
) -> None:
    content = model(operation, attributes, weights).SerializeToString()
    (expected,) = onnxruntime.InferenceSession(content).run(["y"], {"x": IMAGE})
    (computed,) = Graph(content, "cpu").run(torch.from_numpy(IMAGE), "y")
    np.testing.assert_allclose(computed.numpy(), expected, rtol=1e-5, atol=1e-5)


def test_an_operation_that_is_not_known_is_named() -> None:
    with pytest.raises(GraphError, match="an operation that torch is not taught here \\('Erf'\\)"):
        Graph(model("Erf", {}, []).SerializeToString(), "cpu")


@pytest.mark.parametrize(
    ("attributes", "weights"),
    [
        ({**NEAREST, "mode": "linear"}, [np.zeros(0), np.array([1.0, 1, 2, 3])]),
        (NEAREST, [np.zeros(0), np.array([1.0, 2, 1, 1])]),
        (NEAREST, [np.zeros(0), np.zeros(0), np.array([1, 4, 12, 21], np.int64)]),
    ],
)
def test_another_way_to_resize_is_refused(attributes: dict[str, Any], weights: list[np.ndarray]) -> None:
    with pytest.raises(GraphError, match="cannot be computed"):
        Graph(model("Resize", attributes, weights).SerializeToString(), "cpu").run(torch.from_numpy(IMAGE), "y")


@pytest.mark.parametrize("content", [b"", b"no model", b"\x80\x04N."])
def test_what_is_no_graph_gives_nothing(content: bytes) -> None:
    with pytest.raises(GraphError):
        Graph(content, "cpu").run(torch.from_numpy(IMAGE), "scores")


def test_weights_in_other_files_are_not_read(tmp_path: Path) -> None:
    made = model("Add", {}, [WEIGHTS((4, 1, 1))])
    made.graph.initializer[0].data_location = TensorProto.EXTERNAL
    made.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")
    with pytest.raises(GraphError, match="has weights in other files"):
        Graph(made.SerializeToString(), "cpu")


class Trap:
    """What a pickle can do to whoever reads it."""

    def __init__(self, told: Path) -> None:
        self._told = told

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._told),)


def test_no_pickle_of_a_bundle_is_read_by_torch_or_the_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, told = make_bundle(tmp_path / "tiny"), tmp_path / "it was read"
    torch.save(Trap(told), folder / "model.pt2")
    manifest = json.loads((folder / "manifest.json").read_text())
    content = (folder / "model.pt2").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    manifest["files"]["model.pt2"] = {"sha256": sha256, "bytes": len(content), "precision": "float32"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    runtime = open_runtime(Bundle.open(folder), "torch")
    assert runtime.run(np.zeros((1, 96, 64), np.float32)).shape == (1, 8)
    settings = tmp_path / "service.toml"
    settings.write_text(f'[model]\nbundle = "{folder}"\n')
    runtimes = {name: RUNTIMES[name] for name in ("onnxruntime", "torch")}
    monkeypatch.setattr("streamtag.cli.checks.RUNTIMES", runtimes)  # each is tried in a process of its own
    assert main(["--config", str(settings), "doctor"]) == 0
    said = capsys.readouterr().out
    assert "runtime torch" in said
    assert "tagging works" in said
    assert not told.exists()


@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "torch"])
def test_a_foreign_graph_that_cannot_be_computed_is_one_line(tmp_path: Path, name: str) -> None:
    folder = make_bundle(tmp_path / "tiny")
    made = load_model(folder / "model.onnx")
    shape = next(tensor for tensor in made.graph.initializer if tensor.name == "shape")
    shape.CopyFrom(numpy_helper.from_array(np.array([-1, 63], np.int64), "shape"))
    content = made.SerializeToString()
    (folder / "model.onnx").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["model.onnx"].update(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"bundle .*model\.onnx") as refused:
        open_runtime(Bundle.open(folder), name).run(np.zeros((1, 96, 64), np.float32))
    assert "\n" not in str(refused.value)
