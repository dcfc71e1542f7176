"""From examples to a head: logistic regression on embeddings, judged by recordings that it was not taught with."""

import time
from dataclasses import dataclass
from typing import Final

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from streamtag.heads import Examples, Figures, HeadError
from streamtag.settings import DEFAULT_OFF, DEFAULT_ON
from streamtag.teaching.wording import words_of

__all__ = ["Fitted", "directions", "fit", "some"]

_PRECISION: Final = 0.95
_FOLDS: Final = 5
_MOST_WINDOWS: Final = 2000
"""Of examples, and of counter-examples: more of them change little and take long."""
_ALIKE: Final = 0.9995
"""Cosine from which on two windows are one and the same sound."""
_SUM: Final = 100.0
"""The weight of all examples together, and of all other sound; against it stands the square of the weights."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What was learnt, as `streamtag.heads.Head` keeps it."""

    weights: NDArray[np.float32]
    bias: float
    on: float
    off: float
    figures: Figures


@dataclass(frozen=True, slots=True, eq=False)
class _Windows:
    """Windows of one kind: directions [n, d], the group of each, its weight."""

    rows: NDArray[np.float32]
    groups: NDArray[np.intp]
    weights: NDArray[np.float64]


def fit(positives: Examples, negatives: Examples, weak: NDArray[np.float32], *, verdicts: int = 0) -> Fitted:
    """Learn to tell examples from what they are not.

    The scores are shifted so that an event begins at 0.5, the score from which on 95 of 100 windows are right in
    cross-validation, where no recording is judged by a head that was taught with a part of it.

    Args:
        positives: what is the label.
        negatives: what is not.
        weak: float32 [n, d], other sound that is hardly ever the label.
        verdicts: how many of them come from what people said, to be told.

    Raises:
        HeadError: there is no example, one is a counter-example too, there is nothing to tell them from, or the extra
            `teach` is not installed.
    """
    if not len(positives.sources):
        raise HeadError("there is no example that can be heard: give a recording in which it sounds")
    _check_apart(some(positives), some(negatives))
    right = _windows(positives)
    wrong = _windows(negatives, each=_SUM / (1 + right.groups.max()))
    other = _Windows(directions(weak), np.arange(len(weak)), np.full(len(weak), _SUM / max(1, len(weak))))
    if not len(wrong.rows) + len(other.rows):
        raise HeadError("there is nothing to tell it from: give counter-examples with --unlike")
    heard, false = _cross_validated(right, wrong, other)
    weights, bias = _learn(right, wrong, other)
    if heard is None:
        own = _by_group(right.rows @ weights + bias, right.groups)
        threshold = float(own.min() + false.max()) / 2
        average = precision = recall = None
    else:
        threshold, precision, recall = _threshold(heard, false)
        average = _average_precision(heard, false)
    recordings = len(set(positives.sources))
    told = Figures(
        positives=len(positives.sources),
        recordings=recordings,
        negatives=len(negatives.sources),
        weak=len(weak),
        average_precision=average,
        precision=precision,
        recall=recall,
        verdicts=verdicts,
        taught=time.time(),
    )
    told = replace(told, words=words_of(told))
    return Fitted(weights.astype(np.float32), bias - threshold, DEFAULT_ON, DEFAULT_OFF, told)


def _check_apart(positives: Examples, negatives: Examples) -> None:
    """Refuse what is said to be the label and not to be it."""
    if not len(negatives.sources):
        return
    likeness = directions(positives.vectors) @ directions(negatives.vectors).T
    row, column = divmod(int(likeness.argmax()), likeness.shape[1])
    if likeness[row, column] >= _ALIKE:
        both = sorted({positives.sources[row], negatives.sources[column]})
        raise HeadError(f"{' and '.join(both)}: the same sound is an example and a counter-example; leave out one")


def some(examples: Examples) -> Examples:
    """Return two thousand examples that lie evenly among them, where there are more."""
    count = len(examples.sources)
    if count <= _MOST_WINDOWS:
        return examples
    taken = np.linspace(0, count - 1, _MOST_WINDOWS).round().astype(np.intp)
    return Examples(examples.vectors[taken], [examples.sources[row] for row in taken.tolist()])


def directions(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors of length 1, float32 [n, d]; one without length stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True) if len(vectors) else np.ones((0, 1), np.float32)
    directions: NDArray[np.float32] = vectors / np.maximum(lengths, np.float32(1e-12))
    return directions


def _windows(examples: Examples, each: float = 0.0) -> _Windows:
    """Return the examples, or some of them where they are too many, every recording with the same weight.

    Args:
        examples: windows and the recordings that they are from.
        each: the weight of a recording; 0: all together weigh `_SUM`.
    """
    if not len(examples.sources):
        return _Windows(examples.vectors, np.empty(0, np.intp), np.empty(0))
    examples = some(examples)
    _, groups = np.unique(list(examples.sources), return_inverse=True)
    sizes = np.bincount(groups)
    return _Windows(directions(examples.vectors), groups, (each or _SUM / len(sizes)) / sizes[groups])


def _learn(right: _Windows, wrong: _Windows, other: _Windows) -> tuple[NDArray[np.float64], float]:
    """Return weights and bias; of each recording the half of its windows teaches in which the label is heard best."""
    weights, _ = _regress(right, wrong, other)
    order = np.lexsort((-(right.rows @ weights), right.groups))
    sizes = np.bincount(right.groups)
    ranks = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    best = np.sort(order[ranks < (np.repeat(sizes, sizes) + 1) // 2])
    groups = right.groups[best]
    whole = np.bincount(right.groups, right.weights)
    return _regress(_Windows(right.rows[best], groups, whole[groups] / np.bincount(groups)[groups]), wrong, other)


def _regress(*kinds: _Windows) -> tuple[NDArray[np.float64], float]:
    """Return weights and bias that tell the first kind from the others."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise HeadError("teaching needs the extra 'teach': pip install 'streamtag[teach]'") from error
    first, *others = kinds
    rows = np.concatenate([first.rows, *(each.rows for each in others if len(each.rows))])
    is_first = np.arange(len(rows)) < len(first.rows)
    regression = LogisticRegression(C=1.0, max_iter=500)
    regression.fit(rows, is_first, np.concatenate([each.weights for each in kinds]))
    return regression.coef_[0].astype(np.float64), float(regression.intercept_[0])


def _cross_validated(
    right: _Windows, wrong: _Windows, other: _Windows
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64]]:
    """Return what heads say that were taught without it: of each recording of the label its highest, and of the rest.

    Of a single recording nothing is known: None in its place, and then the rest is judged by heads that knew the label.
    """
    recordings = int(right.groups.max()) + 1
    is_known = recordings == 1
    heard = np.full(recordings, -np.inf)
    false = [np.empty(0)]
    # Other sound is cut in stretches: what is heard at the same time stays together.
    folds = _FOLDS if is_known else min(_FOLDS, recordings)
    parts = [
        np.zeros(len(right.rows), np.intp) - 1 if is_known else right.groups % folds,
        wrong.groups % folds,
        np.arange(len(other.rows)) * folds // max(1, len(other.rows)),
    ]
    for fold in range(folds):
        weights, bias = _learn(
            *(_some(kind, part != fold) for kind, part in zip((right, wrong, other), parts, strict=True))
        )
        is_left_out = parts[0] == fold
        np.maximum.at(heard, right.groups[is_left_out], right.rows[is_left_out] @ weights + bias)
        for kind, part in ((wrong, parts[1]), (other, parts[2])):
            if len(kind.rows):
                false.append(kind.rows[part == fold] @ weights + bias)
    return None if is_known else heard, np.concatenate(false)


def _some(windows: _Windows, which: NDArray[np.bool_]) -> _Windows:
    return _Windows(windows.rows[which], windows.groups[which], windows.weights[which])


def _by_group(values: NDArray[np.float64], groups: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the highest value of each group."""
    highest = np.full(int(groups.max()) + 1, -np.inf)
    np.maximum.at(highest, groups, values)
    return highest


def _threshold(heard: NDArray[np.float64], false: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the lowest threshold at which enough is right, which part is right there, and which part is heard.

    Where it is right nowhere, the one at which most is right. It lies half-way between what has to be below and what
    has to be above.
    """
    best = (-1.0, 0.0, 0.0)  # precision, recall, threshold
    for low in np.unique(heard)[::-1].tolist():
        reached = int((heard >= low).sum())
        precision = reached / (reached + int((false >= low).sum()))
        if precision >= _PRECISION or precision > best[0]:
            below = false[false < low].max(initial=low - 2.0)
            best = (precision, reached / len(heard), (low + float(below)) / 2)
    return best[2], best[0], best[1]


def _average_precision(heard: NDArray[np.float64], false: NDArray[np.float64]) -> float:
    """Return the mean over the label's recordings of the precision at the score of each."""
    ordered = np.sort(heard)[::-1]
    above = [(rank, int((false >= score).sum())) for rank, score in enumerate(ordered.tolist(), 1)]
    return float(np.mean([rank / (rank + wrong) for rank, wrong in above]))
