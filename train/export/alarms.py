"""False alarms: onsets of a label in audio without it, and the thresholds that keep them rare."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamtag.audio.frontend import PATCH_HOP, SAMPLE_RATE

HOLD_SECONDS = 1.0


def onsets(scores: NDArray[np.float32], on: float, off: float) -> int:
    """Return how often a label begins in one stream's patch scores [patches], by the default event rule."""
    patch = PATCH_HOP / SAMPLE_RATE
    count, last = 0, -np.inf
    for place, score in enumerate(scores):
        if score >= on and last == -np.inf:
            count += 1
            last = (place + 1) * patch
        elif last > -np.inf and score >= off:
            last = (place + 1) * patch
        if last > -np.inf and (place + 1) * patch - last >= HOLD_SECONDS:
            last = -np.inf
    return count


def onsets_a_minute(
    streams: Sequence[NDArray[np.float32]], without: Sequence[NDArray[np.bool_]], on: NDArray[np.float32], off: float
) -> NDArray[np.float32]:
    """Return each label's onsets a minute of audio without it; NaN where there is none.

    Args:
        streams: patch scores [patches, labels] of each recording.
        without: bool [labels] for each recording: the label is certainly not in it.
        on: the labels' thresholds.
        off: the lower threshold.
    """
    labels = len(on)
    counts, minutes = np.zeros(labels), np.zeros(labels)
    for scores, absent in zip(streams, without, strict=True):
        minutes += absent * len(scores) * PATCH_HOP / SAMPLE_RATE / 60
        for label in np.flatnonzero(absent & (scores.max(axis=0) >= on)):
            counts[label] += onsets(scores[:, label], float(on[label]), off)
    rates: NDArray[np.float32]
    rates = np.divide(counts, minutes, out=np.full(labels, np.nan), where=minutes > 0).astype(np.float32)
    return rates


def raised_thresholds(
    streams: Sequence[NDArray[np.float32]],
    without: Sequence[NDArray[np.bool_]],
    *,
    on: float,
    off: float,
    most: float,
) -> dict[int, float]:
    """Return the labels that begin more than `most` times a minute at `on`, with thresholds that mend it.

    Thresholds rise by twentieths, to 0.95 at most.
    """
    thresholds = np.full(streams[0].shape[1], on, np.float32)
    while True:
        often = onsets_a_minute(streams, without, thresholds, off) > most
        often &= thresholds < 0.94
        if not often.any():
            break
        thresholds[often] += 0.05
    return {int(label): round(float(thresholds[label]), 2) for label in np.flatnonzero(thresholds > on + 0.01)}
