"""One step: from a batch of windows to its loss."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from train.augment import mask_and_shift, mix_up
from train.batches import Batch
from train.networks.blocks import Classifier
from train.settings import FitSettings, Settings
from train.teacher import Teacher, masked_loss


class Student(nn.Module):
    """The network, and the layer that predicts the teacher's embedding from the network's own."""

    def __init__(self, network: Classifier, imitate: nn.Linear | None) -> None:
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
    student: nn.Module,
    batch: Batch,
    settings: Settings,
    teacher: Teacher | None,
    step: int,
    rank: int = 0,
    elder: nn.Module | None = None,
) -> Tensor:
    """Return a batch's loss; what is random in it depends on the seed, the step and the process alone."""
    fit = settings.fit
    rng = np.random.default_rng([fit.seed, 7, step, rank] if rank else [fit.seed, 7, step])
    torch.manual_seed(fit.seed * 1_000_003 + step + rank * 7919)
    inputs = mask_and_shift(batch.patches, fit, rng)[:, None].contiguous(memory_format=torch.channels_last)
    label, counts = batch.positive, batch.counts
    if fit.mix_up:
        inputs, label, counts = mix_up(inputs, label, counts, fit.mix_up, rng)
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=fit.bf16):
        logits, imitated = student(inputs)
    logits = logits.float()
    if fit.loss == "softmax":
        return functional.cross_entropy(logits, label / label.sum(dim=1, keepdim=True).clamp(min=1e-6))
    if not (teacher and settings.teacher and imitated is not None):
        return masked_loss(logits, label, counts)
    scores, standard = teacher.targets(batch.features)
    if elder is not None:
        with torch.no_grad():
            scores = (scores + torch.sigmoid(elder(batch.patches[:, None])[0])) / 2
    share = settings.teacher.share
    # Where the label is unsure the teacher alone is the target.
    target = torch.where(counts > 0, share * scores + (1 - share) * label, scores)
    error: Tensor = (imitated.float() - standard).square().mean()
    return masked_loss(logits, target, torch.ones_like(target)) + settings.teacher.embedding * error
