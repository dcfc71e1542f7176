"""An ONNX graph as torch runs it: known operations with plain weights, so that nothing in a model's file is code."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
import torch
from torch.nn import functional

__all__ = ["Graph", "GraphError"]

_Tensors = Sequence[torch.Tensor]
_Attributes = Mapping[str, Any]


class GraphError(Exception):
    """A graph is none, or asks for what is not known here; the text says what."""


@dataclass(frozen=True, slots=True)
class _Step:
    apply: Callable[[_Tensors, _Attributes], torch.Tensor]
    takes: tuple[str, ...]
    gives: str
    attributes: _Attributes


class Graph:
    """The steps of a graph and its weights, on one device."""

    def __init__(self, content: bytes, device: str) -> None:
        """Read a model's file.

        Raises:
            GraphError: it is damaged, has weights in other files, or an operation that is not known here.
        """
        try:
            graph = onnx.load_model_from_string(content).graph
        except Exception as error:  # what protobuf raises has no public name
            raise GraphError("is not ONNX") from error
        if any(onnx.external_data_helper.uses_external_data(tensor) for tensor in graph.initializer):
            raise GraphError("has weights in other files")
        self._weights = {tensor.name: _tensor(tensor, device) for tensor in graph.initializer}
        self._input = next((value.name for value in graph.input if value.name not in self._weights), "")
        self._steps = [_step(node, device, self._weights) for node in graph.node]

    def run(self, patches: torch.Tensor, *outputs: str) -> list[torch.Tensor]:
        """Compute some outputs.

        Raises:
            GraphError: there is no such output, or steps do not fit each other.
        """
        values = {**self._weights, self._input: patches}
        try:
            for step in self._steps:
                values[step.gives] = step.apply([values[name] for name in step.takes if name], step.attributes)
            return [values[name] for name in outputs]
        except (IndexError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise GraphError(f"cannot be computed: {type(error).__name__}") from error


def _tensor(tensor: onnx.TensorProto, device: str) -> torch.Tensor:
    try:
        return torch.from_numpy(np.array(onnx.numpy_helper.to_array(tensor))).to(device)
    except (TypeError, ValueError) as error:
        raise GraphError(f"has weights that cannot be read: {type(error).__name__}") from error


def _step(node: onnx.NodeProto, device: str, weights: dict[str, torch.Tensor]) -> _Step:
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    if node.op_type == "Constant" and isinstance(attributes.get("value"), onnx.TensorProto) and node.output:
        weights[node.output[0]] = _tensor(attributes["value"], device)
        return _Step(lambda values, _: values[0], (node.output[0],), node.output[0], {})
    known = _OPERATIONS.get(node.op_type)
    if known is None or node.domain or len(node.output) != 1 or attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise GraphError(f"has an operation that torch is not taught here ({node.op_type!r:.40})")
    return _Step(known, tuple(node.input), node.output[0], attributes)


def _padded(x: torch.Tensor, attributes: _Attributes, value: float) -> torch.Tensor:
    """Pad two dimensions as ONNX says it: the beginnings, then the ends."""
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    return functional.pad(x, (left, right, top, bottom), value=value) if top or left or bottom or right else x


def _conv(values: _Tensors, attributes: _Attributes) -> torch.Tensor:
    weight, bias = values[1], values[2] if len(values) > 2 else None
    strides, dilations = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    x = _padded(values[0], attributes, 0.0)
    return functional.conv2d(x, weight, bias, strides, 0, dilations, attributes.get("group", 1))


def _gemm(values: _Tensors, attributes: _Attributes) -> torch.Tensor:
    a = values[0].T if attributes.get("transA") else values[0]
    b = values[1].T if attributes.get("transB") else values[1]
    product: torch.Tensor = attributes.get("alpha", 1.0) * (a @ b)
    if len(values) > 2:
        product = product + attributes.get("beta", 1.0) * values[2]
    return product


def _max_pool(values: _Tensors, attributes: _Attributes) -> torch.Tensor:
    x = _padded(values[0], attributes, -float("inf"))
    return functional.max_pool2d(
        x, attributes["kernel_shape"], attributes.get("strides", [1, 1]), ceil_mode=bool(attributes.get("ceil_mode"))
    )


def _average_pool(values: _Tensors, attributes: _Attributes) -> torch.Tensor:
    size, strides = attributes["kernel_shape"], attributes.get("strides", [1, 1])
    x = functional.avg_pool2d(_padded(values[0], attributes, 0.0), size, strides)
    if attributes.get("count_include_pad"):
        return x
    ones = _padded(torch.ones_like(values[0][:1, :1]), attributes, 0.0)
    return x / functional.avg_pool2d(ones, size, strides)


def _normalised(values: _Tensors, attributes: _Attributes) -> torch.Tensor:
    x, scale, bias, mean, variance = values
    return functional.batch_norm(x, mean, variance, scale, bias, eps=attributes.get("epsilon", 1e-5))


def _axes(values: _Tensors, attributes: _Attributes) -> list[int]:
    return [int(axis) for axis in values[1]] if len(values) > 1 else list(attributes["axes"])


def _mean(values: _Tensors, attributes: _Attributes) -> torch.Tensor:
    return values[0].mean(_axes(values, attributes), keepdim=bool(attributes.get("keepdims", 1)))


def _greatest(values: _Tensors, attributes: _Attributes) -> torch.Tensor:
    return values[0].amax(_axes(values, attributes), keepdim=bool(attributes.get("keepdims", 1)))


def _log_sum_exp(values: _Tensors, attributes: _Attributes) -> torch.Tensor:
    return values[0].logsumexp(_axes(values, attributes), keepdim=bool(attributes.get("keepdims", 1)))


def _reshape(values: _Tensors, _: _Attributes) -> torch.Tensor:
    x, shape = values[0], [int(size) for size in values[1]]
    return x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate(shape)])


def _flat(values: _Tensors, attributes: _Attributes) -> torch.Tensor:
    x = values[0]
    return x.reshape(math.prod(x.shape[: attributes.get("axis", 1)]), -1)


def _clip(values: _Tensors, _: _Attributes) -> torch.Tensor:
    x, low, high = values  # one limit alone would not say which
    return torch.clamp(x, low, high)


def _hard_sigmoid(values: _Tensors, attributes: _Attributes) -> torch.Tensor:
    return torch.clamp(attributes.get("alpha", 0.2) * values[0] + attributes.get("beta", 0.5), 0, 1)


def _resized(values: _Tensors, attributes: _Attributes) -> torch.Tensor:
    x, scales = values[0], values[-1]
    how = [attributes.get(name) for name in ("mode", "coordinate_transformation_mode", "nearest_mode")]
    if how != [b"nearest", b"asymmetric", b"floor"] or not scales.is_floating_point() or scales[:2].tolist() != [1, 1]:
        raise ValueError("only positions are resized, by a factor, to the nearest value before")
    return functional.interpolate(x, scale_factor=scales[2:].tolist(), mode="nearest")


_OPERATIONS: Final[dict[str, Callable[[_Tensors, _Attributes], torch.Tensor]]] = {
    "Add": lambda values, _: values[0] + values[1],
    "AveragePool": _average_pool,
    "BatchNormalization": _normalised,
    "Clip": _clip,
    "Concat": lambda values, attributes: torch.cat(list(values), attributes["axis"]),
    "Conv": _conv,
    "Div": lambda values, _: values[0] / values[1],
    "Dropout": lambda values, _: values[0],
    "Flatten": _flat,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda values, _: values[0].mean((2, 3), keepdim=True),
    "GlobalMaxPool": lambda values, _: values[0].amax((2, 3), keepdim=True),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda values, _: functional.hardswish(values[0]),
    "Identity": lambda values, _: values[0],
    "LeakyRelu": lambda values, attributes: functional.leaky_relu(values[0], attributes.get("alpha", 0.01)),
    "MatMul": lambda values, _: values[0] @ values[1],
    "MaxPool": _max_pool,
    "Mul": lambda values, _: values[0] * values[1],
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceMax": _greatest,
    "ReduceMean": _mean,
    "Relu": lambda values, _: functional.relu(values[0]),
    "Reshape": _reshape,
    "Resize": _resized,
    "Sigmoid": lambda values, _: values[0].sigmoid(),
    "Softmax": lambda values, attributes: values[0].softmax(attributes.get("axis", -1)),
    "Squeeze": lambda values, attributes: values[0].squeeze(tuple(_axes(values, attributes))),
    "Sub": lambda values, _: values[0] - values[1],
    "Tanh": lambda values, _: values[0].tanh(),
    "Transpose": lambda values, attributes: values[0].permute(attributes["perm"]),
}
