"""Changes to log-mel patches that leave their labels true."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamtag.audio.frontend import LOG_OFFSET
from train.settings import FitSettings


def mask_and_shift(
    patches: NDArray[np.float32], settings: FitSettings, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return patches [n, 96, 64] moved in time and with bands and spans masked by the patch's mean.

    SpecAugment (Park et al., Interspeech 2019) without its time warp.
    """
    patches = patches.copy()
    count, frames, bands = patches.shape
    if settings.shift_frames:
        for row, shift in enumerate(rng.integers(-settings.shift_frames, settings.shift_frames + 1, count)):
            patches[row] = np.roll(patches[row], shift, axis=0)
    if not settings.masks:
        return patches
    means = patches.mean(axis=(1, 2))
    for _ in range(settings.masks):
        wide = rng.integers(0, settings.mask_bands + 1, count)
        long = rng.integers(0, settings.mask_frames + 1, count)
        low = rng.integers(0, bands - wide + 1)
        first = rng.integers(0, frames - long + 1)
        for row in range(count):
            patches[row, :, low[row] : low[row] + wide[row]] = means[row]
            patches[row, first[row] : first[row] + long[row]] = means[row]
    return patches


def mix_up(
    inputs: Tensor, label: Tensor, counts: Tensor, share: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return a batch in which a share of the patches is mixed with others of it.

    Magnitudes are added, as if both sounds were heard; labels are mixed in the same proportion (Zhang et al., "mixup",
    ICLR 2018). A label counts where it counts in both.

    Args:
        inputs: log-mel patches float32 [n, 1, 96, 64].
        label: float32 [n, labels].
        counts: float32 [n, labels].
        share: of the patches.
        rng: what is random.
    """
    count = len(inputs)
    weight = np.where(rng.random(count) < share, rng.beta(2.0, 2.0, count), 1.0)
    mine = torch.from_numpy(weight.astype(np.float32)).to(inputs.device)
    other = torch.from_numpy(rng.permutation(count)).to(inputs.device)
    wide = mine[:, None, None, None]
    magnitude = inputs.exp() - LOG_OFFSET
    mixed = (wide * magnitude + (1 - wide) * magnitude[other]).clamp(min=0)
    flat = mine[:, None]
    both = torch.where(flat < 1, counts * counts[other], counts)
    return (mixed + LOG_OFFSET).log(), flat * label + (1 - flat) * label[other], both
