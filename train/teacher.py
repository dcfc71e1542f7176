"""The teacher: what published networks hear (`train.ears`), and a head trained here on the labels that are wanted.

What these networks say of the labels themselves is laid over the head's own word (`train.own_scores`): they heard more.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from streamtag.errors import ConfigError
from train.batches import Batch
from train.own_scores import OwnScores
from train.settings import TeacherSettings

BATCH = 256
_OWN_SHARE = 0.2
"""Of the published networks' own scores, in deviations, that is added to each logit."""
_SETTLED = 40
"""Batches from which what is usual is taken: the features' mean and deviation, and the networks' own scores."""


class Head(nn.Module):
    """Features [n, d] to logits [n, labels]."""

    def __init__(self, inputs: int, hidden: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(inputs),
            nn.Dropout(dropout),
            nn.Linear(inputs, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, labels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.layers(features)
        return logits


@dataclass(frozen=True, slots=True)
class Teacher:
    """A trained head, the published networks' own scores, and the features' mean and deviation, float32 [d] each."""

    head: Head
    own: OwnScores
    mean: Tensor
    deviation: Tensor

    @torch.no_grad()
    def targets(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores [n, labels] and the standardised features [n, d]."""
        self.head.eval()
        logits = self.head(features) + _OWN_SHARE * self.own(features)
        return torch.sigmoid(logits), (features - self.mean) / self.deviation

    def to(self, device: torch.device) -> "Teacher":
        """Return the teacher on a device."""
        return Teacher(self.head.to(device), self.own.to(device), self.mean.to(device), self.deviation.to(device))

    def state(self) -> dict[str, object]:
        """Return what `read_teacher` needs."""
        return {
            "head": self.head.state_dict(),
            "own": self.own.state_dict(),
            "mean": self.mean,
            "deviation": self.deviation,
        }


def masked_loss(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """Return sigmoid cross-entropy, summed over the labels that count, mean over windows."""
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * counts).sum(dim=1).mean()


def train_teacher(
    batches: Iterator[Batch],
    own: OwnScores,
    labels: int,
    settings: TeacherSettings,
    seed: int,
    report: Callable[[str], None],
) -> Teacher:
    """Train a head on windows' own labels.

    Args:
        batches: of 256 windows with features, for ever.
        own: the published networks' scores of the labels; settled here.
        labels: their number.
        settings: of the teacher.
        seed: of weights and dropout.
        report: takes lines of progress.
    """
    torch.manual_seed(seed)
    batch = next(batches)
    device = batch.features.device
    head = Head(batch.features.shape[1], settings.hidden, labels, settings.dropout).to(device)
    optimiser = torch.optim.AdamW(head.parameters(), settings.learning_rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.steps)
    heard = []
    running = torch.zeros((), device=device)
    for step in range(1, settings.steps + 1):
        batch = next(batches)
        if step <= _SETTLED:
            heard.append(batch.features)
        loss = masked_loss(head.train()(batch.features), batch.positive, batch.counts)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        running += (loss.detach() - running) / min(step, 200)
        if step % 500 == 0 or step == settings.steps:
            report(f"teacher: step {step}/{settings.steps}, loss {running.item():.3f}")
    usual = torch.cat(heard)
    own = own.to(device)
    own.settle(usual)
    return Teacher(head.eval(), own, usual.mean(0), usual.std(0).clamp(min=1e-2))


def read_teacher(path: Path, inputs: int, labels: int, settings: TeacherSettings) -> Teacher:
    """Return the teacher that a file of a run holds.

    Raises:
        ConfigError: an earlier edition wrote it.
    """
    state = torch.load(path, weights_only=True, map_location="cpu")["teacher"]
    if "own" not in state:
        raise ConfigError(f"{path} was made by an earlier edition: delete it, and a teacher is trained anew")
    head, own = Head(inputs, settings.hidden, labels, settings.dropout), OwnScores(labels)
    head.load_state_dict(state["head"])
    own.load_state_dict(state["own"])
    return Teacher(head.eval(), own, state["mean"], state["deviation"])
