"""How much plain windows count, recordings as they are, where a head is fitted on their own labels."""

import torch
from torch import Tensor

_OTHER_WEIGHT = 0.3
"""Of windows in which nothing is certain, against those with a label."""
_UNSURE = 0.5
"""How much a label that a recording of another name may deserve too counts as absent."""


def rarity(positive: Tensor) -> Tensor:
    """Return how much each window counts, float32 [n]: the more, the rarer its labels are among them.

    Args:
        positive: float32 [n, labels], 1 where a label is certainly there.
    """
    frequency = positive.sum(0) + 1.0
    labels = positive.sum(1)
    rare = (positive @ (frequency.mean() / frequency)) / labels.clamp(min=1)
    return torch.where(labels > 0, rare, _OTHER_WEIGHT)


def counts(positive: Tensor, unsure: Tensor) -> Tensor:
    """Return how much each label counts in each window, float32 [n, labels].

    Args:
        positive: float32 [n, labels].
        unsure: bool [n, labels], where nobody can say.
    """
    named = (positive.sum(1, keepdim=True) > 0).float()
    return 1.0 - unsure.float() * (1.0 - _UNSURE * named)
