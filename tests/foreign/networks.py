"""Small taggers in the shapes that published ones have: what they hear is which of four pitches is loud."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PITCHES = (0.01, 0.03, 0.1, 0.2)
"""In cycles a sample."""
_KERNEL = 128


@dataclass(frozen=True, slots=True)
class Shape:
    """What a network takes and gives.

    Attributes:
        input: its name.
        axes: of the input; "n" for those that are free.
        labels: how many.
        scores: the output's name.
        activation: of the graph itself: "Sigmoid", "Softmax" or "" for logits.
        embedding: the output's name and width.
        others: outputs beside them, by name and width.
        embedding_first: whether it comes before the scores.
        scale: what full scale is.
    """

    input: str
    axes: Sequence[int | str]
    labels: int
    scores: str
    activation: str = ""
    embedding: tuple[str, int] | None = None
    others: tuple[tuple[str, int], ...] = ()
    embedding_first: bool = False
    scale: float = 1.0


def network(shape: Shape) -> bytes:
    """Return an ONNX graph of that shape; label i mod 4 is the i-th pitch."""
    time = np.arange(_KERNEL)
    kernels = np.stack([np.cos(2 * np.pi * pitch * time) for pitch in PITCHES]).astype(np.float32)[:, np.newaxis]
    weights = np.zeros((4, shape.labels), np.float32)
    weights[np.arange(shape.labels) % 4, np.arange(shape.labels)] = 0.5
    channel = {1: [1, 1, -1], 2: [0, 1, -1], 3: [0, 0, -1]}[len(shape.axes)]
    constants: dict[str, np.ndarray] = {
        "channel": np.array(channel, np.int64),
        "kernels": kernels / np.float32(shape.scale),
        "time": np.array([2], np.int64),
        "weights": weights,
        "bias": np.full(shape.labels, -4.0, np.float32),
    }
    nodes = [
        helper.make_node("Reshape", [shape.input, "channel"], ["channelled"]),
        helper.make_node("Conv", ["channelled", "kernels"], ["waves"], strides=[_KERNEL // 2]),
        helper.make_node("Abs", ["waves"], ["loud"]),
        helper.make_node("ReduceMean", ["loud", "time"], ["pitches"], keepdims=0),
        helper.make_node("MatMul", ["pitches", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], [shape.scores if not shape.activation else "logits"]),
    ]
    if shape.activation:
        nodes.append(helper.make_node(shape.activation, ["logits"], [shape.scores]))
    batch = [shape.axes[0]] if len(shape.axes) > 1 else ["windows"]
    outputs = [helper.make_tensor_value_info(shape.scores, TensorProto.FLOAT, [*batch, shape.labels])]
    for name, width in (*([shape.embedding] if shape.embedding else []), *shape.others):
        constants[f"{name}_weights"] = np.random.default_rng(width).standard_normal((4, width)).astype(np.float32)
        nodes.append(helper.make_node("MatMul", ["pitches", f"{name}_weights"], [name]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [*batch, width]))
    if shape.embedding_first:
        outputs = [outputs[1], outputs[0], *outputs[2:]]
    graph = helper.make_graph(
        nodes,
        "pitches",
        [helper.make_tensor_value_info(shape.input, TensorProto.FLOAT, list(shape.axes))],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def describe(folder: Path, lines: str, graph: bytes, labels: Sequence[str], labels_file: str = "labels.txt") -> Path:
    """Write a graph, its labels and its `model.toml`; return the last."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pitches.onnx").write_bytes(graph)
    (folder / labels_file).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    path = folder / "model.toml"
    path.write_text(f'file = "pitches.onnx"\nlabels = "{labels_file}"\n{lines}')
    return path
