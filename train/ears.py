"""What the published taggers hear in a window: the features that a teacher reads."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamtag.audio.frontend import LOG_OFFSET, PATCH_HOP, PATCH_SAMPLES
from train.data.make import as_int16
from train.data.render import CONTEXT_SAMPLES, span
from train.networks.blocks import laid_out
from train.networks.yamnet import LOG_OFFSET as YAMNET_OFFSET
from train.published.efficientat import doubled, read_mn04
from train.published.yamnet import read_yamnet

WIDTH = 1024 + 2 * (384 + 512)
"""Of the features: YAMNet's embedding, and mn04's features and hidden layer of the patch and of the three seconds."""


class Ears:
    """YAMNet and mn04 side by side, on a GPU where there is one."""

    def __init__(self, yamnet: Path, mn04: Path) -> None:
        """Read both.

        Raises:
            ConfigError: a file is missing or not what it is to be.
        """
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._yamnet = laid_out(read_yamnet(yamnet), torch.channels_last, self._device)
        self._mn04 = laid_out(read_mn04(mn04), torch.channels_last, self._device)
        # On a CPU mn04 takes half the time for windows so few that its spectra and first layers stay in the cache, and
        # a thread for each core less than threads that share each product.
        self._batch, self._few, self._threads = (
            (512, 512, 1) if self._device.type == "cuda" else (32, 8, os.cpu_count() or 1)
        )

    def features(
        self, samples: NDArray[np.int16], at: NDArray[np.int64], patches: NDArray[np.float16] | NDArray[np.float32]
    ) -> NDArray[np.float16]:
        """Return what both hear.

        Args:
            samples: int16 [n, 48000] at 16 kHz.
            at: int64 [n], where each one's patch begins.
            patches: log-mel [n, 96, 64] of them.

        Returns:
            float16 [n, 2816]: the square root of YAMNet's embedding (a mean of rectified values); mn04's features and
            hidden layer, of the patch twice over and of all three seconds.
        """
        if not len(samples):
            return np.empty((0, WIDTH), np.float16)
        slices = [slice(first, first + self._batch) for first in range(0, len(samples), self._batch)]
        with ThreadPoolExecutor(self._threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            parts = pool.map(lambda rows: self._batch_features(samples[rows], at[rows], patches[rows]), slices)
            return np.concatenate(list(parts))

    @torch.inference_mode()
    def _batch_features(
        self, samples: NDArray[np.int16], at: NDArray[np.int64], patches: NDArray[np.float16] | NDArray[np.float32]
    ) -> NDArray[np.float16]:
        sound = torch.from_numpy(samples).to(self._device).float() / 32767.0
        positions = torch.from_numpy(at).to(self._device)[:, None] + torch.arange(PATCH_SAMPLES, device=self._device)
        heard = sound.gather(1, positions)
        log_mel = torch.from_numpy(np.asarray(patches, np.float32)).to(self._device)[:, None]
        _, embedding = self._yamnet((log_mel.exp() - LOG_OFFSET).clamp(min=0).add(YAMNET_OFFSET).log())
        every: list[Tensor] = [embedding.sqrt()]
        for waveform in (torch.cat([heard, heard], dim=1), sound):
            parts = [self._mn04(doubled(few)) for few in waveform.split(self._few)]
            every += [torch.cat([part.features for part in parts]), torch.cat([part.hidden for part in parts])]
        return torch.cat(every, dim=1).half().cpu().numpy()


def contexts(sound: NDArray[np.float32], patches: int) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Return the three seconds around each of a recording's patches, int16 [patches, 48000], and where these begin."""
    before = (CONTEXT_SAMPLES - PATCH_SAMPLES) // 2
    around = np.stack([span(sound, patch * PATCH_HOP - before, CONTEXT_SAMPLES) for patch in range(patches)])
    return as_int16(around), np.full(patches, before)
