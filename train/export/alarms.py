"""False alarms: onsets of a label in audio without it, and the thresholds that keep them rare."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamtag.audio.frontend import PATCH_HOP, SAMPLE_RATE
from streamtag.events import EventDetector, EventRules
from streamtag.labels import LabelSet
from streamtag.settings import DEFAULT_OFF, DEFAULT_ON, EventSettings, LabelThresholds

_PATCH_SECONDS = PATCH_HOP / SAMPLE_RATE
PATCH_MINUTES = _PATCH_SECONDS / 60
OFF_SHARE = DEFAULT_OFF / DEFAULT_ON
"""A raised `on` takes the `off` along."""
_HIGHEST, _STEP = 0.95, 0.05
_QUIET = -4.3
"""A patch whose mean log-mel is lower holds silence: its least is ln(0.01) = -4.6."""

Scores = NDArray[np.float32]
Thresholds = NDArray[np.float32]
Absent = NDArray[np.bool_]


def off_of(on: Thresholds) -> Thresholds:
    """Return the `off` of each `on` that a bundle asks for."""
    return on * np.float32(OFF_SHARE)


def is_quiet(patches: NDArray[np.float32]) -> Absent:
    """Return which patches, float32 [patches, 96, 64], hold silence, bool [patches]."""
    return np.asarray(patches.mean(axis=(1, 2)) < _QUIET)


def onsets(scores: Scores, on: Thresholds, off: Thresholds) -> NDArray[np.int_]:
    """Return how often each label begins in one stream, by the engine's own events.

    Args:
        scores: patch scores, float32 [patches, labels].
        on: float32 [labels], at which an event begins.
        off: float32 [labels], below which it ends.
    """
    names = [str(label) for label in range(len(on))]
    pairs = zip(names, on.tolist(), off.tolist(), strict=True)
    thresholds = {name: LabelThresholds(on=begin, off=end) for name, begin, end in pairs}
    rules = EventRules(LabelSet(names), EventSettings(labels=thresholds))
    detector = EventDetector(rules)
    counts = np.zeros(len(on), np.int_)
    for index, (row, reached) in enumerate(zip(scores, rules.reached(scores), strict=True)):
        for event in detector.push(row, index * _PATCH_SECONDS, (index + 1) * _PATCH_SECONDS, reached):
            counts[event.index] += event.state == "on"
    return counts


def false_onsets(scores: Scores, absent: Absent, on: Thresholds, off: Thresholds) -> NDArray[np.int_]:
    """Return how often each label begins in one stream that it is certainly not in; 0 for all others.

    Args:
        scores: patch scores, float32 [patches, labels].
        absent: bool [labels], which are certainly not in it.
        on: float32 [labels], at which an event begins.
        off: float32 [labels], below which it ends.
    """
    counts = np.zeros(len(on), np.int_)
    labels = np.flatnonzero(absent & (scores.max(axis=0) >= on))
    counts[labels] = onsets(scores[:, labels], on[labels], off[labels])
    return counts


def onsets_a_minute(streams: Sequence[Scores], without: Sequence[Absent], on: Thresholds) -> NDArray[np.float32]:
    """Return each label's onsets a minute of audio without it; NaN where there is none.

    Args:
        streams: patch scores [patches, labels] of each recording.
        without: bool [labels] for each recording: the label is certainly not in it.
        on: the labels' thresholds; each `off` goes along.
    """
    counts, minutes = np.zeros(len(on)), np.zeros(len(on))
    for scores, absent in zip(streams, without, strict=True):
        minutes += absent * len(scores) * PATCH_MINUTES
        counts += false_onsets(scores, absent, on, off_of(on))
    rates: NDArray[np.float32]
    rates = np.divide(counts, minutes, out=np.full(len(on), np.nan), where=minutes > 0).astype(np.float32)
    return rates


def raised_thresholds(streams: Sequence[Scores], without: Sequence[Absent], on: Thresholds, most: float) -> Thresholds:
    """Return thresholds at which no label begins more than `most` times a minute where it is not.

    They rise by twentieths, to 0.95 at most.

    Args:
        streams: patch scores [patches, labels] of each recording.
        without: bool [labels] for each recording: the label is certainly not in it.
        on: float32 [labels], the thresholds to begin with; each `off` goes along.
        most: onsets a minute.
    """
    thresholds = on.astype(np.float32)
    while True:
        often = onsets_a_minute(streams, without, thresholds) > most
        often &= thresholds < _HIGHEST - 0.01
        if not often.any():
            return thresholds
        thresholds[often] = np.minimum(thresholds[often] + _STEP, _HIGHEST)
