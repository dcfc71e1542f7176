import numpy as np
from numpy.typing import NDArray

from streamtag.audio import SAMPLE_RATE

__all__ = ["bursts"]


def bursts(seconds: float) -> NDArray[np.int16]:
    """Return noise that swells and fades, int16 at 16 kHz: speed does not depend on what is heard."""
    size = round(seconds * SAMPLE_RATE)
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 0.5 * np.arange(size) / SAMPLE_RATE)
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, size)
    return (noise * swell * np.iinfo(np.int16).max).astype(np.int16)
