import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from streamtag.audio.levels import SILENCE_DBFS, levels_dbfs
from tests.sounds import tone


def test_a_full_scale_square_wave_has_0_dbfs() -> None:
    square = np.where(np.arange(15360) // 50 % 2, 1.0, -1.0).astype(np.float32)
    assert levels_dbfs(square) == (0.0, 0.0)


def test_a_full_scale_sine_is_3_decibels_below_its_peak() -> None:
    rms, peak = levels_dbfs(tone(0.96, 1000, peak=1.0))
    assert rms == pytest.approx(20 * math.log10(math.sqrt(0.5)), abs=1e-3)
    assert peak == pytest.approx(0, abs=1e-3)


def test_half_the_amplitude_is_6_decibels_less() -> None:
    loud, soft = levels_dbfs(tone(0.96, peak=1.0)), levels_dbfs(tone(0.96, peak=0.5))
    assert np.subtract(loud, soft) == pytest.approx([6.0206, 6.0206], abs=1e-3)


def test_digital_silence_is_as_low_as_levels_go_and_never_0() -> None:
    assert levels_dbfs(np.zeros(15360, np.float32)) == (-120.0, -120.0)


def test_a_peak_below_zero_counts_as_one_above() -> None:
    assert levels_dbfs(np.array([0, -0.5, 0.25], np.float32))[1] == pytest.approx(-6.0206, abs=1e-3)


@given(arrays(np.float32, st.integers(1, 300), elements=st.floats(-1, 1, width=32)))
def test_levels_are_finite_and_the_peak_is_never_below_the_rms(samples: NDArray[np.float32]) -> None:
    rms, peak = levels_dbfs(samples)
    assert SILENCE_DBFS <= rms <= peak + 1e-4 <= 1e-3
