"""One step: from a batch of windows to its loss."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from train.augment import mask_and_shift, mix_up
from train.data.cache import Rows
from train.settings import FitSettings, Settings
from train.teacher import Teacher, masked_loss, to_tensors


class Student(nn.Module):
    """The network, and the layer that predicts the teacher's embedding from the network's own."""

    def __init__(self, network: nn.Module, imitate: nn.Linear | None) -> None:
        super().__init__()
        self.network = network
        self.imitate = imitate

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return logits [n, labels] and the predicted embedding [n, d], None without a teacher."""
        logits, embedding = self.network(patches)
        return logits, self.imitate(embedding) if self.imitate else None


def learning_rate(settings: FitSettings, step: int) -> float:
    """Return the learning rate of a step that counts from 0: a straight warm-up, then a cosine or nothing."""
    warm = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    if settings.schedule == "constant":
        return settings.learning_rate * warm
    along = max(0.0, step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return settings.learning_rate * warm * (0.5 + 0.5 * float(np.cos(np.pi * along)))


def activate(logits: Tensor, loss: str) -> Tensor:
    """Return scores in [0, 1]: independent ones, or with the softmax loss ones that sum to 1."""
    return torch.softmax(logits, dim=1) if loss == "softmax" else torch.sigmoid(logits)


def batch_loss(
    student: nn.Module, rows: Rows, settings: Settings, teacher: Teacher | None, step: int, rank: int = 0
) -> Tensor:
    """Return a batch's loss; what is random in it depends on the seed, the step and the process alone."""
    fit = settings.fit
    device = next(student.parameters()).device
    rng = np.random.default_rng([fit.seed, 7, step, rank] if rank else [fit.seed, 7, step])
    torch.manual_seed(fit.seed * 1_000_003 + step + rank * 7919)
    patches = mask_and_shift(rows.patches.astype(np.float32), fit, rng)
    embedding, label, counts = (part.to(device) for part in to_tensors(rows))
    inputs = torch.from_numpy(patches)[:, None].contiguous(memory_format=torch.channels_last).to(device)
    if fit.mix_up:
        inputs, label, counts = mix_up(inputs, label, counts, fit.mix_up, rng)
    with torch.autocast(device.type, torch.bfloat16, enabled=fit.bf16):
        logits, imitated = student(inputs)
    logits = logits.float()
    if fit.loss == "softmax":
        return functional.cross_entropy(logits, label / label.sum(dim=1, keepdim=True).clamp(min=1e-6))
    if not (teacher and settings.teacher and imitated is not None):
        return masked_loss(logits, label, counts)
    scores, standard = teacher.targets(embedding)
    share = settings.teacher.share
    # Where the label is unsure the teacher alone is the target.
    target = torch.where(counts > 0, share * scores + (1 - share) * label, scores)
    error = (imitated.float() - standard).square().mean()
    return masked_loss(logits, target, torch.ones_like(target)) + settings.teacher.embedding * error
