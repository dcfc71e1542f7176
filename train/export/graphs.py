"""ONNX files: from torch, and quantised."""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
import onnx.compose
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

from streamtag.runtimes.onnx_session import open_session

OPSET = 17
OUTPUTS = ("scores", "embedding")


def write_graph(
    module: nn.Module,
    example: torch.Tensor,
    name: str,
    path: Path,
    outputs: tuple[str, ...] = OUTPUTS,
    free: Mapping[str, Mapping[int, str]] = MappingProxyType({}),
) -> None:
    """Export a module of one input.

    Args:
        module: what is exported.
        example: an input.
        name: the input's.
        path: where to write.
        outputs: their names.
        free: which axes of which tensors are free beside the first of each, and what they are called.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            (example,),
            str(path),
            input_names=[name],
            output_names=list(outputs),
            dynamic_axes={tensor: {0: "N", **free.get(tensor, {})} for tensor in (name, *outputs)},
            opset_version=OPSET,
            dynamo=False,
        )


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, inputs: NDArray[np.float32], batch: int = 32) -> None:
        self._parts: Iterator[dict[str, NDArray[np.float32]]] = iter(
            [{name: inputs[first : first + batch]} for first in range(0, len(inputs), batch)]
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next inputs, None at the end: ONNX Runtime's interface."""
        return next(self._parts, None)


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep the quantiser's advice to itself."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _start_nodes(graph: onnx.GraphProto) -> list[str]:
    """Return the first convolution where it reads one channel, and its ReLU: on a CPU they stay in float32.

    ONNX Runtime's int8 convolution gathers single bytes there and is slower than its float32 one.
    """
    first = next((node for node in graph.node if node.op_type == "Conv"), None)
    weights = {tensor.name: tensor.dims for tensor in graph.initializer}
    if first is None or list(weights.get(first.input[1], (0, 0)))[1] != 1:
        return []
    after = [node.name for node in graph.node if node.op_type == "Relu" and node.input[0] == first.output[0]]
    return [first.name, *after]


def _end_nodes(graph: onnx.GraphProto) -> list[str]:
    """Return the nodes after the last convolution: pooling, the last layer and what follows it stay in float32.

    They are a hundredth of the work, and in 8 bits they cost most of what int8 costs in average precision.
    """
    nodes = graph.node
    convolutions = [index for index, node in enumerate(nodes) if node.op_type == "Conv"]
    after_logits = {"ReduceLogSumExp", "Mul", "Sub", "Sigmoid"}
    if not convolutions:
        return [node.name for node in nodes if node.op_type in after_logits]
    kinds = after_logits | {"GlobalAveragePool", "Flatten", "Gemm"}
    return [node.name for node in nodes[convolutions[-1] :] if node.op_type in kinds]


def quantise(source: Path, target: Path, name: str, inputs: NDArray[np.float32], *, symmetric: bool) -> None:
    """Write an int8 graph by static min-max calibration, per-channel weights, as quantise-dequantise pairs.

    Args:
        source: the float32 graph.
        target: where to write.
        name: of its input.
        inputs: about 600 real inputs.
        symmetric: signed activations around 0 and a float32 bias, the only kind that TensorRT takes; else unsigned
            activations with a zero point, the fast kind on CPUs with VNNI.
    """
    with tempfile.TemporaryDirectory() as folder, _hushed():
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared))
        graph = onnx.load(prepared).graph
        quantize_static(
            str(prepared),
            str(target),
            _Calibration(name, inputs),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=_end_nodes(graph) + ([] if symmetric else _start_nodes(graph)),
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False}
            if symmetric
            else {},
        )


def join(first: Path, second: Path, target: Path) -> None:
    """Write one graph from two: the only output of the first goes into the only input of the second."""
    head, tail = onnx.load(first), onnx.load(second)
    opsets = {tail_set.domain: tail_set for tail_set in tail.opset_import}
    head.opset_import[0].CopyFrom(opsets.get("", head.opset_import[0]))
    head.ir_version = tail.ir_version
    ends = [(head.graph.output[0].name, tail.graph.input[0].name)]
    onnx.save(
        onnx.compose.merge_models(
            onnx.compose.add_prefix(head, "front/", rename_inputs=False, rename_outputs=False), tail, ends
        ),
        target,
    )


def run_session(graph: Path | bytes, inputs: NDArray[np.generic], output: str, batch: int = 64) -> NDArray[np.float32]:
    """Return one output of a graph for all inputs, through ONNX Runtime on the CPU."""
    session = open_session(graph)
    name = session.get_inputs()[0].name
    parts = [session.run([output], {name: inputs[at : at + batch]})[0] for at in range(0, len(inputs), batch)]
    return np.concatenate(parts)


def run_graph(graph: Path | bytes, inputs: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return a graph's scores for all inputs."""
    return run_session(graph, inputs, "scores")


def ends(path: Path) -> tuple[dict[str, list[int | str]], dict[str, list[int | str]]]:
    """Return a graph's inputs and outputs: name to shape, "N" for the free size; nothing of what is no ONNX graph."""
    if path.suffix != ".onnx":
        return {}, {}
    session = open_session(path)

    def shapes(nodes: list[onnxruntime.NodeArg]) -> dict[str, list[int | str]]:
        return {node.name: ["N", *node.shape[1:]] for node in nodes}

    return shapes(session.get_inputs()), shapes(session.get_outputs())
