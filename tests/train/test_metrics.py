import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.metrics import area_under_roc, average_precision, d_prime, lwlrap, measure, top_1


@st.composite
def judged(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    seed = draw(st.integers(0, 10_000))
    items, levels = draw(st.integers(4, 40)), draw(st.sampled_from([3, 7, 1000]))
    rng = np.random.default_rng(seed)
    truth = rng.random(items) < 0.4
    truth[:2] = True, False
    return np.round(rng.random(items) * levels) / levels, truth


def precision_by_steps(scores: np.ndarray, truth: np.ndarray) -> float:
    """Average precision by its definition: each threshold's gain in recall times its precision."""
    steps = []
    for threshold in sorted(set(scores), reverse=True):
        found = scores >= threshold
        steps.append(((found & truth).sum() / truth.sum(), (found & truth).sum() / found.sum()))
    recalls = [0.0, *(recall for recall, _ in steps)]
    parts = zip(recalls, steps, strict=False)
    return float(sum((recall - before) * precision for before, (recall, precision) in parts))


@settings(deadline=None)
@given(judged())
def test_average_precision_is_the_area_under_the_steps_with_and_without_ties(
    case: tuple[np.ndarray, np.ndarray],
) -> None:
    scores, truth = case
    assert average_precision(scores, truth) == pytest.approx(precision_by_steps(scores, truth))


@settings(deadline=None)
@given(judged())
def test_area_under_the_roc_curve_is_the_chance_that_a_true_item_outranks_a_false_one(
    case: tuple[np.ndarray, np.ndarray],
) -> None:
    scores, truth = case
    pairs = np.sign(scores[truth][:, None] - scores[~truth][None, :])
    assert area_under_roc(scores, truth) == pytest.approx((pairs.mean() + 1) / 2)


def test_lwlrap_is_the_mean_over_all_true_labels_of_how_many_above_them_are_true() -> None:
    rng = np.random.default_rng(0)
    scores, truth = np.round(rng.random((30, 8)) * 5) / 5, rng.random((30, 8)) < 0.3
    shares = [
        (row[labels] >= score).sum() / (row >= score).sum()
        for row, labels in zip(scores, truth, strict=True)
        for score in row[labels]
    ]
    assert lwlrap(scores, truth) == pytest.approx(np.mean(shares))


def test_what_has_no_answer_is_none() -> None:
    scores, nothing = np.array([0.5, 0.25]), np.zeros(2, bool)
    assert math.isnan(average_precision(scores, nothing))
    assert math.isnan(area_under_roc(scores, nothing))
    assert math.isnan(area_under_roc(scores, ~nothing))
    assert math.isnan(lwlrap(scores[None], nothing[None]))


def test_d_prime_of_the_papers_resnet_follows_from_its_area() -> None:
    assert d_prime(0.926) == pytest.approx(2.041, abs=0.01)


def test_d_prime_of_areas_at_the_edge_is_infinite_and_of_none_is_none() -> None:
    assert (d_prime(0.0), d_prime(1.0)) == (-math.inf, math.inf)
    assert math.isnan(d_prime(math.nan))


def test_a_class_without_a_true_item_is_left_out_of_the_mean() -> None:
    scores = np.array([[0.9, 0.1, 0.5], [0.1, 0.8, 0.5]])
    truth = np.array([[True, False, False], [False, True, False]])
    metrics = measure(scores, truth)
    assert (metrics.classes, metrics.map, metrics.top_1) == (2, 1.0, 1.0)


def test_top_1_counts_items_with_a_label_alone() -> None:
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1]])
    truth = np.array([[True, False], [False, True], [False, False]])
    assert top_1(scores, truth) == 0.5


def test_scores_that_are_no_numbers_have_no_metrics() -> None:
    truth = np.array([[True, False], [False, True], [True, False]])
    found = measure(np.full(truth.shape, np.nan), truth)
    assert np.isnan([found.map, found.auc, found.d_prime, found.lwlrap]).all()
