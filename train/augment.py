"""Changes to log-mel patches that leave their labels true."""

import numpy as np
import torch
from torch import Tensor

from streamtag.audio.frontend import LOG_OFFSET
from train.settings import FitSettings


def mask_and_shift(patches: Tensor, settings: FitSettings, rng: np.random.Generator) -> Tensor:
    """Return patches [n, 96, 64] moved in time and with bands and spans masked by the patch's mean.

    SpecAugment (Park et al., Interspeech 2019) without its time warp.
    """
    count, frames, bands = patches.shape
    device = patches.device

    def drawn(low: int, high: int) -> Tensor:
        return torch.from_numpy(rng.integers(low, high, count)).to(device)[:, None]

    frame, band = torch.arange(frames, device=device), torch.arange(bands, device=device)
    if settings.shift_frames:
        moved = (frame - drawn(-settings.shift_frames, settings.shift_frames + 1)) % frames
        patches = patches.gather(1, moved[:, :, None].expand(-1, -1, bands))
    if not settings.masks:
        return patches
    masked = torch.zeros(count, frames, bands, dtype=torch.bool, device=device)
    for _ in range(settings.masks):
        wide, long = drawn(0, settings.mask_bands + 1), drawn(0, settings.mask_frames + 1)
        low = (torch.from_numpy(rng.random(count)).to(device)[:, None] * (bands - wide + 1)).long()
        first = (torch.from_numpy(rng.random(count)).to(device)[:, None] * (frames - long + 1)).long()
        masked |= ((band >= low) & (band < low + wide))[:, None, :]
        masked |= ((frame >= first) & (frame < first + long))[:, :, None]
    return torch.where(masked, patches.mean(dim=(1, 2), keepdim=True), patches)


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
