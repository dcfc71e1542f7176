"""Graphs that TensorRT takes as they are: no 8- or 16-bit inputs, symmetric signed int8, no quantised bias."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from streamtag.audio.frontend import PATCH_SAMPLES
from train.export import graphs
from train.export.modules import FromWaveform, HalfBody, LogMel, Scores

FOLDER = "tensorrt"


def write_tensorrt(scores: Scores, half: HalfBody, sample: NDArray[np.float32], folder: Path) -> dict[str, str]:
    """Write the graphs to `folder`/tensorrt and return each file's precision.

    `patches.*` take patches, `waveform.*` float32 samples and `pcm.*` 16-bit samples, two in each int32.

    Args:
        scores: the network, float32.
        half: the same with a float16 body.
        sample: real patches to calibrate int8 on, float32 [n, 1, 96, 64].
        folder: the bundle's.
    """
    (folder / FOLDER).mkdir()
    patches = torch.zeros(2, *sample.shape[1:])
    samples = torch.zeros(2, PATCH_SAMPLES)
    pairs = torch.zeros(2, PATCH_SAMPLES // 2, dtype=torch.int32)
    made: dict[str, str] = {}

    def path_of(name: str, precision: str) -> Path:
        made[f"{FOLDER}/{name}.{precision}.onnx"] = precision
        return folder / FOLDER / f"{name}.{precision}.onnx"

    for precision, body in (("float32", scores), ("float16", half)):
        graphs.write_graph(body, patches, "patches", path_of("patches", precision))
        graphs.write_graph(FromWaveform(body), samples, "waveform", path_of("waveform", precision))
    graphs.write_graph(FromWaveform(half, int16=True), pairs, "pcm", path_of("pcm", "float16"))
    quantised = path_of("patches", "int8")
    graphs.quantise(folder / FOLDER / "patches.float32.onnx", quantised, "patches", sample, symmetric=True)
    with tempfile.TemporaryDirectory() as scratch:
        front = Path(scratch) / "front.onnx"
        graphs.write_graph(LogMel(), samples, "waveform", front, ("log_mel",))
        graphs.join(front, quantised, path_of("waveform", "int8"))
    return made
