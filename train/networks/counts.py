"""Weights and multiplies of a network, counted."""

import torch
from torch import Tensor, nn


def weights(network: nn.Module) -> int:
    """Return the number of trained weights."""
    return sum(parameter.numel() for parameter in network.parameters())


@torch.no_grad()
def multiplies(network: nn.Module) -> int:
    """Return the multiplies of convolutions and fully connected layers for one patch."""
    total = 0

    def count(layer: nn.Module, _: object, output: Tensor) -> None:
        nonlocal total
        pixels = output.shape[2] * output.shape[3] if output.dim() == 4 else 1
        total += pixels * sum(parameter.numel() for name, parameter in layer.named_parameters() if name == "weight")

    hooks = [
        layer.register_forward_hook(count) for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    training = network.training
    network.eval()(torch.zeros(1, 1, 96, 64))
    network.train(training)
    for hook in hooks:
        hook.remove()
    return total
