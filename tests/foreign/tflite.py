"""A `yamnet.tflite` of made weights: the published file's tables, operators and shapes, and its list of labels."""

import zipfile
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from streamtag.audio.frontend import hann, mel_weights

LABELS = [f"Label {index}" for index in range(521)]
_WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
_TYPES = {"float32": 0, "int32": 2, "complex64": 8, "int8": 9}
_RELU6 = 3
_VERSIONS = {
    schema.BuiltinOperator.CONV_2D: 3,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D: 3,
    schema.BuiltinOperator.FULLY_CONNECTED: 4,
    schema.BuiltinOperator.MEAN: 2,
    schema.BuiltinOperator.LOGISTIC: 2,
    schema.BuiltinOperator.DEQUANTIZE: 2,
}
"""Of operators that take 8 bits."""
_UNIT = 6 / 255


class _Tables:
    def __init__(self) -> None:
        self.buffers = [schema.BufferT()]
        self.tensors: list[Any] = []
        self.operators: list[Any] = []
        self.codes: list[int] = []

    def tensor(self, shape: tuple[int, ...], kind: str, scale: Any = None, zero: int = 0, value: Any = None) -> int:
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.name = list(shape), _TYPES[kind], f"t{len(self.tensors)}".encode()
        if value is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(value, kind).tobytes(), np.uint8)
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            levels = schema.QuantizationParametersT()
            levels.scale, levels.zeroPoint = scales, np.full(len(scales), zero, np.int64)
            tensor.quantization = levels
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def constant(self, value: Any, kind: str = "int32", scale: Any = None, axis: int = 0) -> int:
        index = self.tensor(np.shape(value), kind, scale, value=value)
        if scale is not None:
            self.tensors[index].quantization.quantizedDimension = axis
        return index

    def run(self, name: str, inputs: list[int], output: int, options: str = "", **values: Any) -> int:
        number = getattr(schema.BuiltinOperator, name)
        if number not in self.codes:
            self.codes.append(number)
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = self.codes.index(number), inputs, [output]
        if options:
            found = getattr(schema, f"{options}T")()
            for key, value in values.items():
                setattr(found, key, value)
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = found
        self.operators.append(operator)
        return output

    def write(self, source: int, result: int) -> bytes:
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.operators, [source], [result]
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], self.buffers, []
        for number in self.codes:
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
            code.version = _VERSIONS.get(number, 1)
            model.operatorCodes.append(code)
        builder = flatbuffers.Builder(1 << 23)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def write_yamnet(path: Path, seed: int = 0, labels: list[str] | None = None) -> Path:
    """Write the file, with its labels behind the tables as the published one has them."""
    path.write_bytes(_network(seed))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("yamnet_label_list.txt", "".join(f"{label}\n" for label in labels or LABELS))
    return path


def _network(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    tables = _Tables()
    source = tables.tensor((15600,), "float32")
    value = _log_mel(tables, source)
    levels = (0.048, 16)
    value = tables.run("QUANTIZE", [value], tables.tensor((1, 96, 64, 1), "int8", *levels), "QuantizeOptions")
    height, width, channels = 96, 64, 1
    for place, (outputs, stride) in enumerate([(32, 2), *zip(_WIDTHS, _STRIDES, strict=True)]):
        kinds = [False] if place == 0 else [True, False]
        for depthwise in kinds:
            step = stride if depthwise or place == 0 else 1
            size = 3 if depthwise or place == 0 else 1
            after = channels if depthwise else outputs
            height, width = height // step, width // step
            fan = size * size * (1 if depthwise else channels)
            shape = (1, size, size, after) if depthwise else (after, size, size, channels)
            weight, scale = _weights(rng, shape, fan)
            bias = np.rint(rng.uniform(-1.0, 0.3, after) / (scale * levels[0]))
            result = tables.tensor((1, height, width, after), "int8", _UNIT, -128)
            inputs = [
                value,
                tables.constant(weight, "int8", scale, 3 if depthwise else 0),
                tables.constant(bias, "int32", scale * levels[0]),
            ]
            shared = {"padding": 0, "strideW": step, "strideH": step, "fusedActivationFunction": _RELU6}
            if depthwise:
                value = tables.run(
                    "DEPTHWISE_CONV_2D", inputs, result, "DepthwiseConv2DOptions", depthMultiplier=1, **shared
                )
            else:
                value = tables.run("CONV_2D", inputs, result, "Conv2DOptions", **shared)
            channels, levels = after, (_UNIT, -128)
    mean = tables.tensor((1, 1, 1, 1024), "int8", 0.022, -128)
    value = tables.run("MEAN", [value, tables.constant([1, 2])], mean, "ReducerOptions", keepDims=True)
    return tables.write(source, _end(tables, rng, value))


def _log_mel(tables: _Tables, source: int) -> int:
    def shaped(value: int, shape: tuple[int, ...], kind: str = "float32") -> int:
        return tables.run("RESHAPE", [value, tables.constant(shape)], tables.tensor(shape, kind), "ReshapeOptions")

    pieces = shaped(source, (195, 80))
    places = tables.constant(2 * np.arange(96)[:, None] + np.arange(5))
    frames = tables.run("GATHER", [pieces, places], tables.tensor((96, 5, 80), "float32"), "GatherOptions")
    window = tables.constant(hann(), "float32")
    frames = tables.run("MUL", [shaped(frames, (96, 400)), window], tables.tensor((96, 400), "float32"), "MulOptions")
    edges = tables.constant([[0, 0], [0, 112]])
    frames = tables.run("PAD", [frames, edges], tables.tensor((96, 512), "float32"), "PadOptions")
    spectrum = tables.tensor((96, 1, 257), "complex64")
    lengths = tables.constant([1, 512])
    spectrum = tables.run("RFFT2D", [shaped(frames, (96, 1, 512)), lengths], spectrum, "Rfft2dOptions")
    spectrum = shaped(spectrum, (96, 257), "complex64")
    magnitude = tables.run("COMPLEX_ABS", [spectrum], tables.tensor((96, 257), "float32"))
    bands = [tables.constant(mel_weights().T, "float32"), tables.constant(np.full(64, 0.001), "float32")]
    mel = tables.run(
        "FULLY_CONNECTED", [magnitude, *bands], tables.tensor((96, 64), "float32"), "FullyConnectedOptions"
    )
    return shaped(tables.run("LOG", [mel], tables.tensor((96, 64), "float32")), (1, 96, 64, 1))


def _end(tables: _Tables, rng: np.random.Generator, embedding: int) -> int:
    weight = np.clip(np.rint(rng.normal(0, 40, (521, 1024))), -127, 127)
    inputs = [
        embedding,
        tables.constant(weight, "int8", 0.002),
        tables.constant(np.rint(rng.normal(-3, 1, 521) / (0.002 * 0.022)), "int32", 0.002 * 0.022),
    ]
    logits = tables.tensor((1, 521), "int8", 0.35, 40)
    logits = tables.run("FULLY_CONNECTED", inputs, logits, "FullyConnectedOptions")
    scores = tables.run("LOGISTIC", [logits], tables.tensor((1, 521), "int8", 1 / 256, -128))
    return tables.run("DEQUANTIZE", [scores], tables.tensor((1, 521), "float32"), "DequantizeOptions")


def _weights(
    rng: np.random.Generator, shape: tuple[int, ...], fan: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    numbers = np.clip(np.rint(rng.normal(0, 40, shape)), -127, 127)
    outputs = shape[3] if shape[0] == 1 else shape[0]
    scale = 2.0 / (40 * np.sqrt(fan)) * rng.uniform(0.7, 1.3, outputs)
    return numbers, scale.astype(np.float32)
