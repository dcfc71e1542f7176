"""Graphs that TensorRT takes as they are: no 8- or 16-bit inputs, symmetric signed int8, no quantised bias."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from streamtag.audio.frontend import PATCH_SAMPLES
from train.export import graphs
from train.export.modules import FromWaveform, HalfBody, Scores

FOLDER = "tensorrt"


def write_tensorrt(scores: Scores, half: HalfBody, sample: NDArray[np.float32], folder: Path) -> dict[str, str]:
    """Write the graphs to `folder`/tensorrt and return each file's precision.

    `patches.*` take patches, `waveform.*` float32 samples and `waveform_int16.*` 16-bit samples widened to int32.

    Args:
        scores: the network, float32.
        half: the same with a float16 body.
        sample: real patches to calibrate int8 on, float32 [n, 1, 96, 64].
        folder: the bundle's.
    """
    (folder / FOLDER).mkdir()
    patches = torch.zeros(2, *sample.shape[1:])
    samples = torch.zeros(2, PATCH_SAMPLES)
    widened = torch.zeros(2, PATCH_SAMPLES, dtype=torch.int32)
    made: dict[str, str] = {}

    def write(name: str, module: nn.Module, example: torch.Tensor, precision: str) -> None:
        graphs.write_graph(module, example, name.split("_")[0], folder / FOLDER / f"{name}.{precision}.onnx")
        made[f"{FOLDER}/{name}.{precision}.onnx"] = precision

    write("patches", scores, patches, "float32")
    write("patches", half, patches, "float16")
    write("waveform", FromWaveform(scores), samples, "float32")
    write("waveform", FromWaveform(half), samples, "float16")
    write("waveform_int16", FromWaveform(half, int16=True), widened, "float16")
    source, target = folder / FOLDER / "patches.float32.onnx", folder / FOLDER / "patches.int8.onnx"
    graphs.quantise(source, target, "patches", sample, symmetric=True)
    made[f"{FOLDER}/patches.int8.onnx"] = "int8"
    return made
