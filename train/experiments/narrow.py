"""The paper's networks with fewer channels, so that a small machine can compare them."""

from torch import nn

from train.networks.blocks import Classifier

_PATCH = 96 * 64


def narrowed(network: Classifier, part: int) -> Classifier:
    """Return the network with every layer a `part`th as wide; its input and its labels stay as they are.

    Layers, strides and poolings are kept, so multiplies shrink by nearly the square of `part`. The network is changed
    in place; its weights are fresh ones.
    """
    head = network.head
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            slim = _slim(layer, part) if layer is not head else None
            if slim is not None:
                setattr(parent, name, slim)
    network.head = nn.Linear(head.in_features // part, head.out_features)
    return network


def _slim(layer: nn.Module, part: int) -> nn.Module | None:
    if isinstance(layer, nn.Conv2d):
        inputs = layer.in_channels if layer.in_channels == 1 else layer.in_channels // part
        groups = layer.groups if layer.groups == 1 else layer.groups // part
        sizes = (layer.kernel_size, layer.stride, layer.padding, layer.dilation, groups)
        return nn.Conv2d(inputs, layer.out_channels // part, *sizes, bias=layer.bias is not None)  # type: ignore[arg-type]
    if isinstance(layer, nn.BatchNorm2d):
        return nn.BatchNorm2d(layer.num_features // part)
    if isinstance(layer, nn.Linear):
        inputs = layer.in_features if layer.in_features == _PATCH else layer.in_features // part
        return nn.Linear(inputs, layer.out_features // part)
    return None
