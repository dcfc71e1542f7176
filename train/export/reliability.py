"""How often a score is right, on the windows of recordings that nothing was trained on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.clipset import ClipSet
from train.export.alarms import is_quiet
from train.export.calibrate import LEAST_SCORE, Mask, bins_of, calibration_error
from train.labels import LabelTable

__all__ = ["known_of", "reliability"]


def known_of(clips: ClipSet, labels: LabelTable) -> tuple[Mask, Mask]:
    """Return what is true of each of the clips' patches, and what is known of it.

    Nothing is known of a patch of silence, nor of labels of which the clip's own say neither yes nor no.

    Returns:
        truth and known, bool [patches, labels] each.
    """
    known = ~clips.unsure(labels)
    return clips.truth[clips.owner], known[clips.owner] & ~is_quiet(clips.patches)[:, None]


def reliability(
    sets: Sequence[tuple[ClipSet, NDArray[np.float32]]], labels: LabelTable, count: int = 10
) -> dict[str, Any]:
    """Return the expected calibration error of sets of clips, and what it is made of.

    Args:
        sets: clips with the scores of their patches, float32 [patches, labels].
        labels: the labels.
        count: of bins of scores.

    Returns:
        `windows`, `error`, and `bins`: of each that holds a score its least and greatest score, how many scores it
        holds, their mean, and the share of them that are right. Scores below 0.05 are left out.
    """
    truths, counts = zip(*(known_of(clips, labels) for clips, _ in sets), strict=True)
    truth, known = np.concatenate(truths), np.concatenate(counts)
    scores = np.concatenate([values for _, values in sets])
    used = known & (scores >= LEAST_SCORE)
    values, right = scores[used], truth[used]
    bins_ = bins_of(values, count)
    rows = [
        {
            "from": max(LEAST_SCORE, at / count),
            "to": (at + 1) / count,
            "scores": int((bins_ == at).sum()),
            "mean": round(float(values[bins_ == at].mean()), 4),
            "right": round(float(right[bins_ == at].mean()), 4),
        }
        for at in range(count)
        if (bins_ == at).any()
    ]
    return {
        "windows": int(known.any(axis=1).sum()),
        "error": round(calibration_error(scores, truth, known, count), 4),
        "bins": rows,
    }
