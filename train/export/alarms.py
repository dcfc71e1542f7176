"""False alarms: onsets of a label in audio without it, and the thresholds that keep them rare."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamtag.audio.frontend import PATCH_HOP, SAMPLE_RATE
from streamtag.events import EventDetector, EventRules
from streamtag.labels import LabelSet
from streamtag.settings import EventSettings, LabelThresholds

_PATCH_SECONDS = PATCH_HOP / SAMPLE_RATE


def onsets(scores: NDArray[np.float32], on: NDArray[np.float32], off: float) -> NDArray[np.int_]:
    """Return how often each label begins in one stream, by the rule of the engine's events.

    Args:
        scores: patch scores, float32 [patches, labels].
        on: the labels' thresholds.
        off: the lower threshold.
    """
    names = [str(label) for label in range(len(on))]
    thresholds = {name: LabelThresholds(on=float(at), off=off) for name, at in zip(names, on, strict=True)}
    rules = EventRules(LabelSet(names), EventSettings(labels=thresholds))
    detector = EventDetector(rules)
    counts = np.zeros(len(on), np.int_)
    for place, (row, reached) in enumerate(zip(scores, rules.reached(scores), strict=True)):
        for event in detector.push(row, place * _PATCH_SECONDS, (place + 1) * _PATCH_SECONDS, reached):
            counts[event.index] += event.state == "on"
    return counts


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
    counts, minutes = np.zeros(len(on)), np.zeros(len(on))
    for scores, absent in zip(streams, without, strict=True):
        minutes += absent * len(scores) * _PATCH_SECONDS / 60
        labels = np.flatnonzero(absent & (scores.max(axis=0) >= on))
        counts[labels] += onsets(scores[:, labels], on[labels], off)
    rates: NDArray[np.float32]
    rates = np.divide(counts, minutes, out=np.full(len(on), np.nan), where=minutes > 0).astype(np.float32)
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
