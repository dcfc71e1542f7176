"""YAMNet as ONNX: MobileNetV1 (Howard et al. 2017) on log-mel patches, in real numbers and in the published 8 bits."""

from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np

from streamtag.audio.frontend import BANDS, FFT, FRAMES, HOP, PATCH_SAMPLES, WINDOW, hann, mel_weights
from streamtag.foreign.graph_writer import GraphWriter
from streamtag.foreign.yamnet_file import LABELS, Layer, Levels, Yamnet

__all__ = ["EMBEDDING", "Arithmetic", "Input", "yamnet_graph"]

EMBEDDING: Final = 1024
_SIGNED: Final = 127
_PAIR: Final = 65536
_FULL_SCALE: Final = 32768

Arithmetic = Literal["float32", "float16", "int8", "signed"]
"""Of the network: "int8" is as published, "signed" what TensorRT takes: symmetric, with float32 biases and ends."""
Input = Literal["patches", "waveform", "pcm"]
"""Log-mel, samples in [-1, 1], or 16-bit samples, two in each int32, the earlier one in the lower half."""


def yamnet_graph(tables: Yamnet, taken: Input, arithmetic: Arithmetic) -> bytes:
    """Return a graph from sound or patches to `scores` [N, 521] and `embedding` [N, 1024]."""
    writer = GraphWriter()
    axes: dict[Input, tuple[str, Sequence[Any]]] = {
        "patches": ("float32", ["N", 1, FRAMES, BANDS]),
        "waveform": ("float32", ["N", PATCH_SAMPLES]),
        "pcm": ("int32", ["N", PATCH_SAMPLES // 2]),
    }
    value: str = taken
    if taken == "pcm":
        value = _samples(writer, value)
    if taken != "patches":
        value = _log_mel(writer, value, tables.log_offset)
    if arithmetic == "int8":
        _published(writer, tables, value)
    elif arithmetic == "signed":
        _signed(writer, tables, value)
    else:
        _real(writer, tables, value, half=arithmetic == "float16")
    return writer.graph({taken: axes[taken]}, {"scores": ["N", LABELS], "embedding": ["N", EMBEDDING]})


def _shape(layer: Layer) -> dict[str, Any]:
    """TensorFlow's padding: with stride 2 and an even size nothing is added above and to the left."""
    kernel = layer.weight.shape[2]
    pads = [0, 0, 0, 0] if kernel == 1 else [0, 0, 1, 1] if layer.stride == 2 else [1, 1, 1, 1]
    size = [kernel, kernel]
    return {"kernel_shape": size, "strides": [layer.stride] * 2, "pads": pads, "group": layer.groups}


def _real(writer: GraphWriter, tables: Yamnet, value: str, *, half: bool) -> None:
    kind = np.float16 if half else np.float32
    if half:
        value = writer.node("Cast", value, to=10)
    low, high = writer.constant(0, kind), writer.constant(6, kind)
    for layer in tables.convolutions:
        weight, bias = writer.constant(layer.real_weight, kind), writer.constant(layer.real_bias, kind)
        value = writer.node("Clip", writer.node("Conv", value, weight, bias, **_shape(layer)), low, high)
    flat = writer.node("Flatten", writer.node("GlobalAveragePool", value))
    embedding = (
        writer.node("Cast", flat, to=1, name="embedding") if half else writer.node("Identity", flat, name="embedding")
    )
    _real_end(writer, tables, flat if half else embedding, half=half)


def _real_end(writer: GraphWriter, tables: Yamnet, embedding: str, *, half: bool) -> None:
    kind = np.float16 if half else np.float32
    weight, bias = writer.constant(tables.last.real_weight, kind), writer.constant(tables.last.real_bias, kind)
    logits = writer.node("Gemm", embedding, weight, bias, transB=1)
    writer.node("Sigmoid", writer.node("Cast", logits, to=1) if half else logits, name="scores")


def _published(writer: GraphWriter, tables: Yamnet, value: str) -> None:
    """The published network in its own whole numbers: the levels of 0 to 6 are its rectifier."""
    value = writer.quantised(value, tables.patches)
    for layer in tables.convolutions:
        weight = writer.dequantised(layer.weight, layer.weight_scale)
        bias = writer.dequantised(layer.bias, layer.bias_scale)
        value = writer.quantised(writer.node("Conv", value, weight, bias, **_shape(layer)), layer.given)
    flat = writer.node("Flatten", writer.node("GlobalAveragePool", value))
    embedding = writer.quantised(flat, tables.embedding, name="embedding")
    weight = writer.dequantised(tables.last.weight, tables.last.weight_scale)
    bias = writer.dequantised(tables.last.bias, tables.last.bias_scale)
    logits = writer.quantised(writer.node("Gemm", embedding, weight, bias, transB=1), tables.last.given)
    writer.quantised(writer.node("Sigmoid", logits), tables.scores, name="scores")


def _signed(writer: GraphWriter, tables: Yamnet, value: str) -> None:
    """The same as TensorRT wants it: levels around 0, real biases, and real numbers after the last convolution."""
    value = writer.quantised(value, _around_zero(tables.patches), signed=True)
    low, high = writer.constant(0), writer.constant(6)
    for number, layer in enumerate(tables.convolutions):
        weight = writer.dequantised(layer.weight, layer.weight_scale)
        real = writer.node("Conv", value, weight, writer.constant(layer.real_bias), **_shape(layer))
        value = writer.node("Clip", real, low, high)
        if number < len(tables.convolutions) - 1:
            value = writer.quantised(value, _around_zero(layer.given), signed=True)
    embedding = writer.node("Flatten", writer.node("GlobalAveragePool", value), name="embedding")
    _real_end(writer, tables, embedding, half=False)


def _around_zero(levels: Levels) -> Levels:
    return Levels(max(abs(levels.low), abs(levels.high)) / _SIGNED, 0)


def _log_mel(writer: GraphWriter, samples: str, log_offset: float) -> str:
    """The front end as a strided convolution with windowed cosines and sines, and a product."""
    angle = 2 * np.pi * np.outer(np.arange(FFT // 2 + 1), np.arange(WINDOW)) / FFT
    waves = np.concatenate([np.cos(angle), -np.sin(angle)]) * hann()
    sound = writer.node("Reshape", samples, writer.constant([-1, 1, PATCH_SAMPLES], np.int64))
    spectrum = writer.node("Conv", sound, writer.constant(waves[:, np.newaxis]), kernel_shape=[WINDOW], strides=[HOP])
    parts = writer.split(spectrum, [FFT // 2 + 1] * 2, axis=1)
    real, imaginary = (writer.node("Mul", part, part) for part in parts)
    magnitude = writer.node("Sqrt", writer.node("Add", real, imaginary))
    mel = writer.node("MatMul", writer.node("Transpose", magnitude, perm=[0, 2, 1]), writer.constant(mel_weights()))
    log_mel = writer.node("Log", writer.node("Add", mel, writer.constant(log_offset)))
    return writer.node("Reshape", log_mel, writer.constant([-1, 1, FRAMES, BANDS], np.int64))


def _samples(writer: GraphWriter, pairs: str) -> str:
    """16-bit samples out of int32 by division and floor alone, whichever way division rounds."""
    divisor = writer.constant(_PAIR, np.int32)
    quotient = writer.node("Div", pairs, divisor)
    rest = writer.node("Cast", writer.node("Sub", pairs, writer.node("Mul", quotient, divisor)), to=1)
    pair, half = writer.constant(_PAIR), writer.constant(_FULL_SCALE)
    wraps = writer.node("Floor", writer.node("Div", writer.node("Add", rest, half), pair))
    earlier = writer.node("Sub", rest, writer.node("Mul", wraps, pair))
    carried = writer.node("Floor", writer.node("Div", rest, pair))
    later = writer.node("Add", writer.node("Cast", quotient, to=1), carried)
    axis = writer.constant([2], np.int64)
    both = writer.node("Concat", writer.node("Unsqueeze", earlier, axis), writer.node("Unsqueeze", later, axis), axis=2)
    flat = writer.node("Reshape", both, writer.constant([-1, PATCH_SAMPLES], np.int64))
    return writer.node("Div", flat, half)
