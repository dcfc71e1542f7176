"""The teacher: a published network's embedding, and a head trained here on the labels that are wanted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from train.data.cache import Rows
from train.settings import TeacherSettings

BATCH = 256


class Head(nn.Module):
    """Embedding [n, d] to logits [n, labels], through its square root (embeddings are sums of rectified values)."""

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

    def forward(self, embedding: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.layers(embedding.clamp(min=0).sqrt())
        return logits


@dataclass(frozen=True, slots=True)
class Teacher:
    """A trained head with the embedding's mean and deviation, float32 [d] each."""

    head: Head
    mean: Tensor
    deviation: Tensor

    @torch.no_grad()
    def targets(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores [n, labels] and the standardised embedding [n, d]."""
        self.head.eval()
        return torch.sigmoid(self.head(embedding)), (embedding - self.mean) / self.deviation

    def to(self, device: torch.device) -> "Teacher":
        """Return the teacher on a device."""
        return Teacher(self.head.to(device), self.mean.to(device), self.deviation.to(device))

    def state(self) -> dict[str, object]:
        """Return what `restore` needs."""
        return {"head": self.head.state_dict(), "mean": self.mean, "deviation": self.deviation}


def masked_loss(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """Return sigmoid cross-entropy, summed over the labels that count, mean over windows."""
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * counts).sum(dim=1).mean()


def to_tensors(rows: Rows) -> tuple[Tensor, Tensor, Tensor]:
    """Return embedding, labels and which labels count, float32."""
    return (
        torch.from_numpy(rows.embedding.astype(np.float32)),
        torch.from_numpy(rows.positive.astype(np.float32)),
        torch.from_numpy((~rows.unsure).astype(np.float32)),
    )


def train_teacher(
    batches: Iterator[Rows], labels: int, settings: TeacherSettings, seed: int, report: Callable[[str], None]
) -> Teacher:
    """Train a head on windows' own labels.

    Args:
        batches: of 256 windows with embeddings, for ever.
        labels: their number.
        settings: of the teacher.
        seed: of weights and dropout.
        report: takes lines of progress.
    """
    torch.manual_seed(seed)
    first = next(batches)
    head = Head(first.embedding.shape[1], settings.hidden, labels, settings.dropout)
    optimiser = torch.optim.AdamW(head.parameters(), settings.learning_rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.steps)
    total = torch.zeros(first.embedding.shape[1], dtype=torch.float64)
    squares = torch.zeros_like(total)
    seen = 0
    running = 0.0
    for step in range(1, settings.steps + 1):
        embedding, target, counts = to_tensors(next(batches))
        if seen < 500 * BATCH:
            total += embedding.double().sum(0)
            squares += embedding.double().square().sum(0)
            seen += len(embedding)
        loss = masked_loss(head.train()(embedding), target, counts)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        running += (loss.item() - running) / min(step, 200)
        if step % 500 == 0 or step == settings.steps:
            report(f"teacher: step {step}/{settings.steps}, loss {running:.3f}")
    mean = total / seen
    deviation = (squares / seen - mean.square()).clamp(min=1e-4).sqrt()
    return Teacher(head.eval(), mean.float(), deviation.float())


def restore_teacher(state: dict[str, object], inputs: int, labels: int, settings: TeacherSettings) -> Teacher:
    """Return the teacher that a checkpoint holds."""
    head = Head(inputs, settings.hidden, labels, settings.dropout)
    head.load_state_dict(state["head"])  # type: ignore[arg-type]
    return Teacher(head.eval(), state["mean"], state["deviation"])  # type: ignore[arg-type]
