"""A bundle's weights back in a torch network, to be trained on."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from streamtag.bundle import Bundle
from streamtag.errors import BundleError
from train.networks import make_network
from train.networks.blocks import Classifier

Weights = tuple[np.ndarray, np.ndarray]
_Weighted = nn.Conv2d | nn.Linear


def network_of(bundle: Bundle) -> Classifier:
    """Return a bundle's network with the weights of its float32 graph.

    The graph's convolutions hold the batch normalisations that followed them, and channels of zeros that the network
    lacks (`train.export.blocked`). Here each convolution gets those weights and its normalisation becomes the identity
    with an offset: its statistics must stay as they are, so train the network with `freeze_statistics`.

    Raises:
        BundleError: the network is not one of this package's, or the graph does not fit it.
    """
    name = str(bundle.manifest["network"]["name"])
    network = make_network(name, len(bundle.labels)).eval()
    network.competition = float(bundle.manifest["network"].get("competition", 0.0))
    layers = list(_graph_layers(bundle.read("model.onnx")))
    ours = _layers_in_order(network)
    if len(layers) != len(ours):
        raise BundleError(f"bundle {bundle.name}: its graph has {len(layers)} layers and {name} has {len(ours)}")
    with torch.no_grad():
        for (layer, norm), (weight, bias) in zip(ours, layers, strict=True):
            shape = tuple(layer.weight.shape)
            own = _without_zeros(weight, shape)
            if own is None:
                raise BundleError(f"bundle {bundle.name}: a layer of its graph is {weight.shape} and of {name} {shape}")
            layer.weight.copy_(torch.from_numpy(own))
            offset = norm.bias if norm is not None else layer.bias
            if offset is not None:
                offset.copy_(torch.from_numpy(bias[: len(own)]))
            if norm is not None:
                assert norm.running_mean is not None
                assert norm.running_var is not None
                norm.weight.fill_((1.0 + norm.eps) ** 0.5)
                norm.running_mean.zero_()
                norm.running_var.fill_(1.0)
    return network


def _without_zeros(weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return the part of a weight that has this shape if there is one and all else is zero."""
    if weight.ndim != len(shape):
        return None
    own = weight[tuple(map(slice, shape))]
    return own if own.shape == shape and np.count_nonzero(own) == np.count_nonzero(weight) else None


def description_of(bundle: Bundle) -> dict[str, Any]:
    """Return what a model that goes on from a bundle says of it: which it is, whether it began with mn04's weights."""
    data = bundle.manifest.get("data", {})
    published = data.get("settings", {}).get("fit", {}).get("weights")  # said so by bundles before this edition
    return {"bundle": f"{bundle.name} {bundle.version}", "mn04": bool(data.get("mn04", published))}


def with_labels(network: Classifier, old: Sequence[str], new: Sequence[str]) -> Classifier:
    """Return the network with a last layer for other labels; labels that both have keep their weights."""
    head = nn.Linear(network.head.in_features, len(new))
    with torch.no_grad():
        head.weight.mul_(0.1)
        head.bias.fill_(float(network.head.bias.min()))
        for index, name in enumerate(new):
            if name in old:
                head.weight[index] = network.head.weight[list(old).index(name)]
                head.bias[index] = network.head.bias[list(old).index(name)]
    network.head = head
    return network


def freeze_statistics(network: nn.Module) -> None:
    """Have batch normalisations use the statistics that they have; their scales and offsets still train."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()


def _graph_layers(content: bytes) -> Iterator[Weights]:
    """Yield weight and bias of each convolution and fully connected layer in the order in which they run."""
    graph = onnx.load(BytesIO(content)).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor).copy() for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm"):
            weight = tensors[node.input[1]]
            bias = tensors[node.input[2]] if len(node.input) > 2 else np.zeros(len(weight), np.float32)
            yield weight, bias


def _layers_in_order(network: nn.Module) -> list[tuple[_Weighted, nn.BatchNorm2d | None]]:
    """Return each convolution and fully connected layer in the order in which they run, with its normalisation."""
    ran: list[tuple[_Weighted, nn.BatchNorm2d | None]] = []

    def note(layer: nn.Module, _: tuple[Tensor, ...], __: Tensor) -> None:
        if isinstance(layer, nn.BatchNorm2d):
            ran[-1] = (ran[-1][0], layer)
        elif isinstance(layer, _Weighted):
            ran.append((layer, None))

    kinds = _Weighted | nn.BatchNorm2d
    hooks = [layer.register_forward_hook(note) for layer in network.modules() if isinstance(layer, kinds)]
    with torch.no_grad():
        network(torch.zeros(1, 1, 96, 64))
    for hook in hooks:
        hook.remove()
    return ran
