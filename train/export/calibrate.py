"""The scores' scale: a factor and an offset on the logits, so that 0.5 means about even odds.

Where labels compete, the share is lowered as far as scores need it to be right: recordings are told apart best by
scores that compete more, but those of a sound that is clearly one thing stay too low then.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from train.networks.blocks import compete

Logits = NDArray[np.float32]
Mask = NDArray[np.bool_]


_GOOD_ERROR = 0.03
"""Of the windows that it is fitted on; others' is about a point higher."""
_SHARE_STEP = 0.05
LEAST_SCORE = 0.05
"""Most scores of a tagger are near 0 and right; they would hide the others."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Factor and offset of the logits, the share in which they compete, gap of score and frequency before and after."""

    scale: float
    bias: float
    competition: float
    error_before: float
    error_after: float


def bins_of(scores: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """Return the bin of each score among `count` equal ones."""
    return np.minimum((scores * count).astype(np.intp), count - 1)


def calibration_error(scores: NDArray[np.floating], truth: Mask, counts: Mask, bins: int = 10) -> float:
    """Return the mean gap between a score and how often it is right, over equal bins from 0.05 up.

    Bins weigh by content.
    """
    used = counts & (scores >= LEAST_SCORE)
    bins_ = bins_of(scores[used], bins)
    right = truth[used]
    gaps = [
        abs(float(scores[used][bins_ == index].mean() - right[bins_ == index].mean())) * float((bins_ == index).sum())
        for index in range(bins)
        if (bins_ == index).any()
    ]
    return sum(gaps) / max(1, int(used.sum()))


def calibrate(logits: Logits, truth: Mask, counts: Mask, competition: float = 0.0) -> Calibration:
    """Return the factor and offset of a last layer that fit windows of held-back recordings best, by cross-entropy.

    Args:
        logits: float32 [n, labels], what the last layer gives.
        truth: bool [n, labels].
        counts: bool [n, labels], where the truth is known.
        competition: the share in which labels compete before the sigmoid, at most.
    """
    inputs = torch.from_numpy(logits)

    def error(scale: float, bias: float, share: float) -> float:
        return calibration_error(torch.sigmoid(compete(inputs * scale + bias, share)).numpy(), truth, counts)

    before = error(1.0, 0.0, competition)
    found = []
    for step in range(1 + int(competition / _SHARE_STEP)):
        share = competition - step * _SHARE_STEP
        scale, bias = _scale(inputs, truth, counts, share)
        found.append(Calibration(scale, bias, share, before, error(scale, bias, share)))
        if found[-1].error_after <= _GOOD_ERROR:
            return found[-1]
    return min(found, key=lambda one: one.error_after)


def _scale(inputs: torch.Tensor, truth: Mask, counts: Mask, share: float) -> tuple[float, float]:
    """Return the factor and the offset that fit best where labels compete in this share."""
    known = torch.from_numpy(counts)
    target = torch.from_numpy(truth[counts].astype(np.float32))
    raw = torch.zeros(2, requires_grad=True)
    optimiser = torch.optim.LBFGS([raw], max_iter=50, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        judged = compete(inputs * raw[0].exp() + raw[1], share)
        value = functional.binary_cross_entropy_with_logits(judged[known], target)
        value.backward()
        return value

    optimiser.step(loss)
    return float(raw[0].detach().exp()), float(raw[1].detach())


def unchanged(logits: Logits, truth: Mask, counts: Mask) -> Calibration:
    """Return the calibration that changes nothing, for scores that sum to 1, with their error."""
    scores = torch.softmax(torch.from_numpy(logits), dim=1).numpy()
    error = calibration_error(scores, truth, counts)
    return Calibration(1.0, 0.0, 0.0, error, error)
