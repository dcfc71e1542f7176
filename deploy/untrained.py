"""Bundles of networks with fresh weights: as fast as trained ones, and enough to measure and to try."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from streamtag.audio.frontend import BANDS, FRAMES, parameters
from streamtag.bundle import FORMAT, Bundle
from streamtag.foreign.bundle_folder import write_labels
from streamtag.labels import labels_sha256
from train.export import graphs
from train.export.modules import HalfBody, Scores
from train.export.tensorrt import write_tensorrt
from train.networks import make_network


def write_untrained(network: str | torch.nn.Module, labels: Sequence[str], folder: Path) -> Bundle:
    """Write a bundle of a network with fresh weights: `model.onnx` and all graphs for TensorRT.

    The weights of a named network are the same each time, so an engine that was built of it is found again.

    Args:
        network: a network's name, or one like those of `train.networks`.
        labels: the labels' names.
        folder: where to write; it must be there.

    Raises:
        ConfigError: there is no network of that name.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = make_network(network, len(labels)) if isinstance(network, str) else network
    scores = Scores(module)
    sample = np.random.default_rng(0).standard_normal((8, 1, FRAMES, BANDS)).astype(np.float32)
    graphs.write_graph(scores, torch.zeros(1, 1, FRAMES, BANDS), "patches", folder / "model.onnx")
    precisions = {"model.onnx": "float32"} | write_tensorrt(scores, HalfBody(scores), sample, folder)
    write_labels(folder, labels, [""] * len(labels))
    manifest = {
        "format": FORMAT,
        "name": network if isinstance(network, str) else type(network).__name__,
        "version": "untrained",
        "created": datetime.now(UTC).strftime("%Y-%m-%d"),
        "frontend": parameters(),
        "labels": {"count": len(labels), "sha256": labels_sha256(labels)},
        "network": {"name": network if isinstance(network, str) else type(network).__name__},
        "files": _entries(folder, precisions),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Bundle.open(folder)


def _entries(folder: Path, precisions: Mapping[str, str]) -> dict[str, Any]:
    entries = {}
    for name, precision in precisions.items():
        content = (folder / name).read_bytes()
        inputs, outputs = graphs.ends(folder / name)
        sha256 = hashlib.sha256(content).hexdigest()
        about = {"sha256": sha256, "bytes": len(content), "precision": precision}
        entries[name] = about | {"inputs": inputs, "outputs": outputs}
    return entries
