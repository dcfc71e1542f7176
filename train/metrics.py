"""Metrics over scores [n, labels] and truth [n, labels]; means over classes are balanced (each class counts once).

scikit-learn counts; what it has no answer for, such as a class without a true item or a score that is no number, is NaN
here. Every process that trains imports this module, and few of them measure: scikit-learn is imported by those.
"""

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]
Truth = NDArray[np.bool_]


def average_precision(scores: Scores, truth: Truth) -> float:
    """Return the average precision of one class; NaN where nothing is true.

    The area under the precision-recall steps; equal scores count as one step.
    """
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(truth, scores)) if truth.any() and np.isfinite(scores).all() else math.nan


def area_under_roc(scores: Scores, truth: Truth) -> float:
    """Return the chance that a true item outranks a false one, ties counting half; NaN without both kinds."""
    from sklearn.metrics import roc_auc_score

    is_defined = truth.any() and not truth.all() and np.isfinite(scores).all()
    return float(roc_auc_score(truth, scores)) if is_defined else math.nan


def d_prime(auc: float) -> float:
    """Return the separation of two unit normals that have this area under the ROC curve; NaN of NaN."""
    if not 0 < auc < 1:
        return {0.0: -math.inf, 1.0: math.inf}.get(auc, math.nan)
    return math.sqrt(2) * NormalDist().inv_cdf(auc)


def lwlrap(scores: Scores, truth: Truth) -> float:
    """Return the label-weighted label-ranking average precision (DCASE 2019, task 2); NaN where nothing is true."""
    from sklearn.metrics import label_ranking_average_precision_score

    weights = truth.sum(axis=1)
    labelled = weights > 0
    if not labelled.any() or not np.isfinite(scores).all():
        return math.nan
    ranked = truth[labelled], scores[labelled]
    return float(label_ranking_average_precision_score(*ranked, sample_weight=weights[labelled]))


def top_1(scores: Scores, truth: Truth) -> float:
    """Return the share of items whose highest score is of a true label, among items with one."""
    labelled = truth.any(axis=1)
    best = scores[labelled].argmax(axis=1)
    return float(truth[labelled][np.arange(len(best)), best].mean()) if len(best) else float("nan")


@dataclass(frozen=True, slots=True)
class Metrics:
    """All metrics of one set of items."""

    items: int
    classes: int
    top_1: float
    map: float
    auc: float
    d_prime: float
    lwlrap: float

    def as_dict(self) -> dict[str, float | None]:
        """Return the metrics by name, rounded to four digits; None for what is not a finite number."""
        return {name: round(value, 4) if np.isfinite(value) else None for name, value in asdict(self).items()}


def measure(scores: Scores, truth: Truth) -> Metrics:
    """Return all metrics; a class without a true item is left out of the means."""
    there = np.flatnonzero(truth.any(axis=0))
    precisions = [average_precision(scores[:, index], truth[:, index]) for index in there]
    areas = [area_under_roc(scores[:, index], truth[:, index]) for index in there]
    auc = float(np.nanmean(areas)) if np.isfinite(areas).any() else float("nan")
    return Metrics(
        len(scores),
        len(there),
        top_1(scores, truth),
        float(np.mean(precisions)) if len(precisions) else float("nan"),
        auc,
        d_prime(auc),
        lwlrap(scores, truth),
    )
