"""Small made bundles, so that tests of everything around a model need no trained one."""

import csv
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from streamtag.audio.frontend import parameters
from streamtag.labels import labels_sha256

LABELS = ["Rumble", "Low hum", "Hum", "Beep", "High beep", "Whistle", "Hiss", "Sizzle"]
"""Label i scores high where the i-th eighth of the mel bands is loud."""


def make_bundle(folder: Path, labels: list[str] | None = None) -> Path:
    """Write a bundle whose labels score by the level of their own part of the spectrum."""
    names = labels or LABELS
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(_network(len(names)))
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["index", "name", "mid"])
    writer.writerows([index, name, ""] for index, name in enumerate(names))
    (folder / "labels.csv").write_text(table.getvalue())
    content = (folder / "model.onnx").read_bytes()
    manifest = {
        "format": 1,
        "name": "tiny",
        "version": "1",
        "created": "2026-01-01T00:00:00Z",
        "frontend": parameters(),
        "labels": {"count": len(names), "sha256": labels_sha256(names)},
        "network": {"name": "bands", "weights": 64 * len(names), "multiplies": 64 * len(names)},
        "files": {
            "model.onnx": {
                "sha256": hashlib.sha256(content).hexdigest(),
                "bytes": len(content),
                "precision": "float32",
                "inputs": {"patches": ["N", 1, 96, 64]},
                "outputs": {"scores": ["N", len(names)], "embedding": ["N", 64]},
            }
        },
        "thresholds": {"on": 0.5, "off": 0.3, "labels": {}},
        "metrics": {},
        "parity": {},
        "data": {},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _network(labels: int) -> bytes:
    weights = np.zeros((64, labels), np.float32)
    for band in range(64):
        weights[band, min(labels - 1, band * labels // 64)] = 1.0
    weights *= 4.0 / weights.sum(axis=0)
    nodes = [
        helper.make_node("ReduceMean", ["patches", "frames"], ["mean"], keepdims=0),
        helper.make_node("Reshape", ["mean", "shape"], ["embedding"]),
        helper.make_node("Gemm", ["embedding", "weights", "bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["scores"]),
    ]
    constants: dict[str, np.ndarray] = {
        "frames": np.array([2], np.int64),
        "shape": np.array([-1, 64], np.int64),
        "weights": weights,
        "bias": np.full(labels, 10.0, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "bands",
        [helper.make_tensor_value_info("patches", TensorProto.FLOAT, ["N", 1, 96, 64])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", labels]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 64]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content
