"""What the published taggers say of labels themselves, read off the features that a teacher reads (`train.ears`)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from train.labels import plain_name
from train.networks.yamnet import EMBEDDING
from train.published.efficientat import HIDDEN, mn04_labels, read_mn04
from train.settings import TeacherSettings


class OwnScores(nn.Module):
    """YAMNet's logits of the patch, mn04's of the three seconds around it, each against what is usual for a label.

    Both were taught by far more recordings of most labels than lie here, if by vaguer ones.
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        for name, shape in (
            ("yamnet", (labels, EMBEDDING)),
            ("yamnet_bias", (labels,)),
            ("mn04", (labels, HIDDEN)),
            ("mn04_bias", (labels,)),
            ("mean", (2, labels)),
            ("deviation", (2, labels)),
        ):
            self.register_buffer(name, torch.zeros(shape))
        self.yamnet: Tensor
        self.yamnet_bias: Tensor
        self.mn04: Tensor
        self.mn04_bias: Tensor
        self.mean: Tensor
        self.deviation: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """Return both taggers' logits [2, n, labels] of features [n, 2816]; 0 for a label that one does not know."""
        yamnet = features[:, :EMBEDDING].square() @ self.yamnet.T + self.yamnet_bias
        mn04 = features[:, -HIDDEN:] @ self.mn04.T + self.mn04_bias
        return torch.stack([yamnet, mn04])

    def settle(self, features: Tensor) -> None:
        """Take what is usual from features [n, 2816]."""
        logits = self.logits(features)
        self.mean.copy_(logits.mean(1))
        self.deviation.copy_(logits.std(1))

    def forward(self, features: Tensor) -> Tensor:
        """Return [n, labels]: deviations from the mean, mn04's counting twice as much as YAMNet's."""
        yamnet, mn04 = (self.logits(features) - self.mean[:, None]) / self.deviation[:, None].clamp(min=1e-3)
        over: Tensor = 0.5 * yamnet + mn04
        return over


def own_scores(settings: TeacherSettings, labels: Sequence[str]) -> OwnScores:
    """Return what reads both taggers' scores of the labels.

    Raises:
        ConfigError: a published file or the list of its labels is missing or not what it is to be.
    """
    from train.published.yamnet import read_yamnet, yamnet_labels  # read TensorFlow Lite's schema

    found = OwnScores(len(labels))
    heads = (read_yamnet(settings.yamnet).head, read_mn04(settings.mn04).head)
    known = (yamnet_labels(settings.yamnet), mn04_labels(settings.mn04))
    tables = ((found.yamnet, found.yamnet_bias), (found.mn04, found.mn04_bias))
    with torch.no_grad():
        for head, names, (weight, bias) in zip(heads, known, tables, strict=True):
            columns = {plain_name(name): column for column, name in enumerate(names)}
            for index, label in enumerate(labels):
                column = columns.get(plain_name(label))
                if column is not None:
                    weight[index], bias[index] = head.weight[column], head.bias[column]
    return found
