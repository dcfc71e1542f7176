import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score, roc_auc_score

from train.metrics import area_under_roc, average_precision, d_prime, lwlrap, measure, top_1


@st.composite
def judged(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    seed = draw(st.integers(0, 10_000))
    items, levels = draw(st.integers(4, 40)), draw(st.sampled_from([3, 7, 1000]))
    rng = np.random.default_rng(seed)
    truth = rng.random(items) < 0.4
    truth[:2] = True, False
    return np.round(rng.random(items) * levels) / levels, truth


@settings(deadline=None)
@given(judged())
def test_average_precision_is_scikit_learns_with_and_without_ties(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, truth = case
    assert average_precision(scores, truth) == pytest.approx(average_precision_score(truth, scores))


@settings(deadline=None)
@given(judged())
def test_area_under_the_roc_curve_is_scikit_learns(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, truth = case
    assert area_under_roc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))


def test_lwlrap_is_scikit_learns_ranking_precision_weighted_by_labels() -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.random((30, 8)), rng.random((30, 8)) < 0.3
    labelled = truth.any(axis=1)
    expected = label_ranking_average_precision_score(
        truth[labelled], scores[labelled], sample_weight=truth[labelled].sum(axis=1)
    )
    assert lwlrap(scores, truth) == pytest.approx(expected)


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
