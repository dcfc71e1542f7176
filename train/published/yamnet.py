"""The published `yamnet.tflite` as a PyTorch network: its 8-bit weights, dequantised."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from torch import nn

from streamtag.errors import ConfigError
from train.networks.yamnet import YamNet

_KINDS = {
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    schema.BuiltinOperator.FULLY_CONNECTED,
}
_TYPES = {schema.TensorType.INT8: np.int8, schema.TensorType.INT32: np.int32, schema.TensorType.FLOAT32: np.float32}

Layer = tuple[NDArray[np.float32], NDArray[np.float32]]


def read_yamnet(path: Path) -> YamNet:
    """Return YAMNet with the weights of its published file.

    Raises:
        ConfigError: there is no such file, or it is not YAMNet.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"YAMNet {path}: {error.strerror}: set [teacher] yamnet to the published yamnet.tflite"
        ) from None
    network = YamNet()
    try:
        # The mel product of its front end is a fully connected layer too, the first one, with float weights.
        layers = [layer for layer in _layers(content) if layer[0].shape != (64, 257)]
        modules = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        with torch.no_grad():
            for module, (weight, bias) in zip(modules, layers, strict=True):
                module.weight.copy_(torch.from_numpy(_ordered(weight, module)).view_as(module.weight))
                assert module.bias is not None
                module.bias.copy_(torch.from_numpy(bias))
    except (ValueError, RuntimeError, IndexError, AttributeError, TypeError, KeyError, OverflowError) as error:
        raise ConfigError(f"YAMNet {path}: it is not the published yamnet.tflite ({error})") from None
    return network.eval()


def yamnet_labels(model: Path) -> list[str]:
    """Return YAMNet's label names in order, from `yamnet_class_map.csv` beside the model.

    Raises:
        ConfigError: there is no such file.
    """
    path = model.parent / "yamnet_class_map.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [row["display_name"] for row in csv.DictReader(file)]
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: YAMNet's labels are read from it") from None


def _layers(content: bytes) -> Iterator[Layer]:
    """Yield weight and bias, in real numbers, of each layer in the order in which they run."""
    if content[4:8] != b"TFL3":
        raise ValueError("not a TensorFlow Lite file")
    model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    graph = model.subgraphs[0]
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if max(code.builtinCode, code.deprecatedBuiltinCode) in _KINDS:
            _, weight, bias = (_real(model, graph.tensors[index]) for index in operator.inputs)
            if weight is not None and bias is not None:
                yield weight, bias


def _real(model: Any, tensor: Any) -> NDArray[np.float32] | None:
    """Return a constant tensor in real numbers, None for one that is computed."""
    raw = model.buffers[tensor.buffer].data
    if raw is None or not len(raw):
        return None
    values = np.frombuffer(bytes(raw), _TYPES[tensor.type]).reshape(tensor.shape)
    quantised = tensor.quantization
    if quantised is None or quantised.scale is None or not len(quantised.scale):
        return values.astype(np.float32)
    scale, zero = np.asarray(quantised.scale, np.float64), np.asarray(quantised.zeroPoint, np.float64)
    if len(scale) > 1:
        shape = [1] * values.ndim
        shape[quantised.quantizedDimension] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return ((values - zero) * scale).astype(np.float32)


def _ordered(weight: NDArray[np.float32], module: nn.Module) -> NDArray[np.float32]:
    """Return a weight in PyTorch's order: TensorFlow's is [out, height, width, in], depthwise [1, h, w, out]."""
    if isinstance(module, nn.Linear):
        return weight
    depthwise = isinstance(module, nn.Conv2d) and module.groups > 1
    return np.ascontiguousarray(weight.transpose(3, 0, 1, 2) if depthwise else weight.transpose(0, 3, 1, 2))
