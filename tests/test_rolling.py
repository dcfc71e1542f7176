import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from streamtag.errors import InputError
from streamtag.rolling import RollingSum


def push(total: RollingSum, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    rolling = np.full_like(scores, np.nan)
    return rolling / np.float32(total.push(scores, rolling))


rows_of_scores = arrays(
    np.float32, st.tuples(st.integers(1, 40), st.integers(1, 6)), elements=st.floats(0, 1, width=32)
)


@given(rows=rows_of_scores, size=st.integers(1, 12))
def test_a_rolling_score_is_the_mean_of_the_last_patches(rows: NDArray[np.float32], size: int) -> None:
    total = RollingSum(rows.shape[1], size)
    for count, row in enumerate(rows, 1):
        expected = rows[max(0, count - size) : count].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(push(total, row), expected, atol=1e-6)


@given(rows=rows_of_scores)
def test_a_rolling_score_stays_a_probability(rows: NDArray[np.float32]) -> None:
    total = RollingSum(rows.shape[1], 1000)
    for row in rows:
        rolling = push(total, row)
        assert rolling.dtype == np.float32
        assert (rolling >= 0).all()
        assert (rolling <= 1).all()


def test_a_mean_over_everything_is_the_clip_score() -> None:
    rows = np.random.default_rng(0).random((2000, 3), np.float32)
    total = RollingSum(3, 10_000)
    np.testing.assert_allclose([push(total, row) for row in rows][-1], rows.mean(axis=0), atol=1e-5)


def test_a_row_of_scores_may_change_once_it_was_taken_in() -> None:
    total = RollingSum(2, 2)
    row = np.array([0.25, 0.75], np.float32)
    push(total, row)
    row[:] = 0
    assert push(total, np.array([0.75, 0.25], np.float32)).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("size", [0, -1])
def test_a_mean_over_no_patch_is_refused(size: int) -> None:
    with pytest.raises(InputError, match=f"at least 1 patch, not {size}"):
        RollingSum(3, size)
