"""Changes to log-mel patches that leave their labels true."""

import numpy as np
from numpy.typing import NDArray

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
