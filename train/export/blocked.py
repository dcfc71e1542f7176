"""A float32 graph whose blocked layout ONNX Runtime keeps from its first convolution to its last.

On CPUs ONNX Runtime lays activations out in blocks of channels, 16 with AVX-512. Fewer channels than a block, and a
product of all positions of a channel with one factor (squeeze and excite), are computed in the plain layout, which
costs two copies of everything each time. So narrow activations get channels of zeros up to a block, and factors are
repeated over all positions. Scores stay the same but for the order in which floats are added.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

_BLOCK = 16
_ZERO_STAYS_ZERO = ("Add", "HardSwish", "Relu")


def block(path: Path) -> None:
    """Rewrite a float32 graph in place; one that has nothing of this stays as it is."""
    model = onnx.load(path)
    _widen(model.graph)
    _repeat(model)
    onnx.save(model, path)


def _widen(graph: onnx.GraphProto) -> None:
    """Fill narrow activations up to a block, unless something reads them that would make other than zeros of zeros."""
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    narrow: set[str] = set()
    for node in graph.node:
        if node.op_type == "Conv":
            channels, groups = len(weights[node.input[1]]), _groups(node)
            if channels < _BLOCK and (groups == 1 or (groups == channels and node.input[0] in narrow)):
                narrow.add(node.output[0])
        elif node.op_type in _ZERO_STAYS_ZERO and narrow.issuperset(node.input):
            narrow.add(node.output[0])
    ends = [node for node in graph.node if narrow.intersection(node.input) and node.output[0] not in narrow]
    if any(node.op_type != "Conv" or _groups(node) > 1 for node in ends):
        return
    if narrow.intersection(value.name for value in graph.output):
        return
    for node in graph.node:
        if node.op_type != "Conv" or not narrow.intersection((node.input[0], node.output[0])):
            continue
        weight = weights[node.input[1]]
        shape = list(weight.shape)
        if node.output[0] in narrow:
            shape[0] = _BLOCK
        if node.input[0] in narrow and _groups(node) == 1:
            shape[1] = _BLOCK
        for at, size in ((1, shape), (2, shape[:1])):
            if at < len(node.input):
                filled = np.zeros(size, np.float32)
                old = weights[node.input[at]]
                filled[tuple(map(slice, old.shape))] = old
                name = f"{node.output[0]}/{('weight', 'bias')[at - 1]}"
                graph.initializer.append(numpy_helper.from_array(filled, name))
                node.input[at] = name
        for attribute in node.attribute:
            if attribute.name == "group" and attribute.i > 1:
                attribute.i = _BLOCK
    read = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.value_info[:]  # some of them say how many channels there were


def _groups(node: onnx.NodeProto) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == "group"), 1)


def _repeat(model: onnx.ModelProto) -> None:
    """Repeat factors of one position over all that they are multiplied with."""
    graph = model.graph
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    shapes = {
        value.name: [size.dim_value or size.dim_param for size in value.type.tensor_type.shape.dim]
        for value in inferred
    }
    nodes = []
    for node in graph.node:
        if node.op_type == "Mul":
            for at in (0, 1):
                factor, whole = (shapes.get(node.input[each], []) for each in (at, 1 - at))
                if len(whole) == 4 and factor == [*whole[:2], 1, 1] and factor != whole:
                    nodes.append(_repeated(graph, node, at, whole))
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _repeated(graph: onnx.GraphProto, node: onnx.NodeProto, at: int, shape: list[int | str]) -> onnx.NodeProto:
    """Have a product read its factor repeated; return the node that repeats it.

    The shape is said in the graph, since what infers shapes forgets a free first axis here, and without it the layout
    is not kept.
    """
    name = f"{node.output[0]}/factor"
    scales = numpy_helper.from_array(np.array([1, 1, *shape[2:]], np.float32), f"{name}/scales")
    graph.initializer.append(scales)
    graph.value_info.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    factor, node.input[at] = node.input[at], name
    return helper.make_node(
        "Resize",
        [factor, "", scales.name],
        [name],
        name,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
