"""Between samples in [-1, 1] and what somebody's graph takes, and from what it gives to probabilities."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from streamtag.graph_contract import Activation, Layout

__all__ = ["activated", "as_input"]

_FULL_SCALE = np.float32(32768)


def as_input(windows: NDArray[Any], scale: str, layout: Layout, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Return windows as a graph takes them.

    Args:
        windows: [n, samples], float32 in [-1, 1] or int16.
        scale: "unit", "int16", or "peak:X": each window's mean is taken off and its peak brought to X; silence stays.
        layout: "bcn" puts a channel in between; with "n" the rows are to be given one by one.
        dtype: of the graph's input.

    Returns:
        [n, samples], or [n, 1, samples], of that type.
    """
    values = windows.astype(np.float32)
    if windows.dtype == np.int16:
        values /= _FULL_SCALE
    if scale == "int16":
        values = np.clip(np.rint(values * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)
    elif scale.startswith("peak:"):
        values -= values.mean(axis=1, keepdims=True)
        peak = np.abs(values).max(axis=1, keepdims=True)
        values *= np.divide(np.float32(scale.removeprefix("peak:")), peak, out=np.ones_like(peak), where=peak > 0)
    shaped = values[:, np.newaxis] if layout == "bcn" else values
    return np.ascontiguousarray(shaped, dtype)


def activated(values: NDArray[np.float32], activation: Activation) -> NDArray[np.float32]:
    """Return what makes probabilities of a graph's numbers, float32 [n, labels]; "none" leaves them."""
    if activation == "sigmoid":
        # Of the half of it that does not overflow.
        small = np.exp(-np.abs(values))
        return np.asarray(np.where(values >= 0, 1, small) / (1 + small), np.float32)
    if activation == "softmax":
        odds = np.exp(values - values.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float32)
    return values
