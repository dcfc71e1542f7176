"""The running average of a network's weights."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from train.networks.blocks import Classifier

__all__ = ["Average"]


class Average:
    """An exponential mean of a network's weights and statistics, quick to follow at the start.

    Attributes:
        network: The averaged network.
    """

    def __init__(self, network: Classifier, decay: float) -> None:
        self._model = AveragedModel(network, multi_avg_fn=self._blend, use_buffers=True)
        self._model.n_averaged.fill_(1)  # the first step is blended in as any other, and not taken over whole
        self.network = cast(Classifier, self._model.module.eval().requires_grad_(False))
        self._decay = decay
        self._weight = 0.0

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards the network's present weights; `step` counts from 1."""
        self._weight = 1.0 - min(self._decay, step / (step + 10.0))
        self._model.update_parameters(network)

    def _blend(self, mine: Sequence[Tensor], theirs: Sequence[Tensor], count: Tensor | int) -> None:
        if mine[0].is_floating_point():  # counters stay as they are
            torch._foreach_lerp_(list(mine), list(theirs), self._weight)
