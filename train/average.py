"""The running average of a network's weights."""

import copy

import torch
from torch import nn

from train.networks.blocks import Classifier


class Average:
    """An exponential mean of a network's weights and statistics, quick to follow at the start."""

    def __init__(self, network: Classifier, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards the network's present weights; `step` counts from 1."""
        weight = 1.0 - min(self._decay, step / (step + 10.0))
        mine, theirs = self.network.state_dict(), network.state_dict()
        floats = [name for name, value in mine.items() if value.is_floating_point()]
        torch._foreach_lerp_([mine[name] for name in floats], [theirs[name] for name in floats], weight)
