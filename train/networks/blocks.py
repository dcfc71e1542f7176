"""Pieces that several networks share."""

from typing import TypeVar

import torch
from torch import Tensor, nn


def conv(
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    groups: int = 1,
) -> nn.Sequential:
    """Return convolution, batch normalisation and ReLU, the convolution without a bias of its own."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


Network = TypeVar("Network", bound=nn.Module)


def laid_out(network: Network, order: torch.memory_format, device: torch.device | None = None) -> Network:
    """Return the network with its weights in that order in memory, and on that device where one is given."""
    moved: Network = network.to(device, memory_format=order)  # type: ignore[call-overload] # torch's types leave it out
    return moved


def compete(logits: Tensor, share: float | Tensor) -> Tensor:
    """Return logits [n, labels] less a share of what all labels together say (the logarithm of the summed odds).

    With 0 each label is judged by itself, with 1 they are what a softmax takes: a sound that is clearly one thing is
    less of all others.
    """
    return logits - share * logits.logsumexp(dim=1, keepdim=True)


class Classifier(nn.Module):
    """A body from patches [n, 1, 96, 64] to features [n, d], then an optional bottleneck, then one unit a label.

    The embedding is what the last layer reads: the bottleneck's units where there is one (Hershey et al., section 4.3),
    else the features. `competition` is 0 until the last layer is fitted (`train.last_layer`).
    """

    def __init__(
        self, body: nn.Module, features: int, labels: int, bottleneck: int = 0, *, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.body = body
        self.bottleneck = nn.Sequential(nn.Linear(features, bottleneck), nn.ReLU()) if bottleneck else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(bottleneck or features, labels)
        self.competition = 0.0

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits [n, labels] and embedding [n, d]."""
        embedding = self.bottleneck(self.body(patches))
        logits = self.head(self.dropout(embedding))
        if self.competition:
            wide = logits.float() if logits.dtype == torch.float16 else logits  # which does not hold so many odds
            logits = compete(wide, self.competition)
        return logits, embedding
