import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["SILENCE_DBFS", "levels_dbfs"]

SILENCE_DBFS = -120.0
"""What stands for the minus infinity of digital silence, and the least level reported."""

# OpenBLAS hands longer sums to its threads, which would spin on other cores.
_PART = 8192


def levels_dbfs(samples: NDArray[np.float32]) -> tuple[float, float]:
    """Return the RMS and the peak level in dB relative to full scale, each at least -120.

    A full-scale square wave has an RMS of 0 dBFS (so a full-scale sine has -3.01).

    Args:
        samples: float32 [samples] in [-1, 1], not empty.
    """
    total = 0.0
    for first in range(0, len(samples), _PART):
        part = samples[first : first + _PART]
        total += float(part.dot(part))
    # NumPy finds where the extremes are in half the time that it takes for what they are.
    peak = max(samples.item(samples.argmax()), -samples.item(samples.argmin()))
    return _decibel(math.sqrt(total / len(samples))), _decibel(peak)


def _decibel(amplitude: float) -> float:
    return max(SILENCE_DBFS, 20 * math.log10(amplitude)) if amplitude > 0 else SILENCE_DBFS
