"""ONNX graphs written node by node."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from streamtag.foreign.yamnet_file import Levels

__all__ = ["OPSET", "GraphWriter"]

OPSET: Final = 17
_IR: Final = 8
_KINDS: Final = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32}


class GraphWriter:
    """Collects nodes and constants; each method returns the name of what it computes."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, NDArray[Any]] = {}

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """Add an array, or a number."""
        name = f"constant{len(self._constants)}"
        self._constants[name] = np.asarray(value, dtype)
        return name

    def node(self, kind: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node with one output, which gets that name where one is given."""
        output = name or f"value{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], name=f"node{len(self._nodes)}", **attributes))
        return output

    def split(self, value: str, sizes: Sequence[int], axis: int) -> list[str]:
        """Add a node that takes an array apart."""
        outputs = [f"value{len(self._nodes)}.{part}" for part in range(len(sizes))]
        inputs = [value, self.constant(sizes, np.int64)]
        self._nodes.append(helper.make_node("Split", inputs, outputs, name=f"node{len(self._nodes)}", axis=axis))
        return outputs

    def quantised(self, value: str, levels: Levels, *, signed: bool = False, name: str | None = None) -> str:
        """Have a value take the nearest of its levels: a pair of QuantizeLinear and DequantizeLinear."""
        scale = self.constant(levels.scale)
        zero = self.constant(levels.zero, np.int8) if signed else self.constant(levels.zero + 128, np.uint8)
        whole = self.node("QuantizeLinear", value, scale, zero)
        return self.node("DequantizeLinear", whole, scale, zero, name=name)

    def dequantised(self, numbers: NDArray[Any], scale: NDArray[np.float32]) -> str:
        """Add whole numbers [out, ...] with a scale for each row, as real ones."""
        zeros = self.constant(np.zeros(len(scale)), numbers.dtype)
        return self.node("DequantizeLinear", self.constant(numbers, numbers.dtype), self.constant(scale), zeros, axis=0)

    def graph(self, taken: Mapping[str, tuple[str, Sequence[Any]]], given: Mapping[str, Sequence[Any]]) -> bytes:
        """Return the checked graph.

        Args:
            taken: inputs by name: "float32" or "int32", and their axes.
            given: outputs by name, float32, and their axes.
        """
        graph = helper.make_graph(
            self._nodes,
            "streamtag",
            [helper.make_tensor_value_info(name, _KINDS[kind], list(axes)) for name, (kind, axes) in taken.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(axes)) for name, axes in given.items()],
            [numpy_helper.from_array(value, name) for name, value in self._constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR)
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString()
        return content
