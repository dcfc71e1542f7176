from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamtag.audio.resample import Resampler, to_mono
from streamtag.errors import InputError
from tests.sounds import noise, tone


def convert(samples: NDArray[np.float32], rate: int, cuts: list[int]) -> NDArray[np.float32]:
    """Resample, the sound cut at `cuts`."""
    resampler = Resampler(rate)
    parts = [resampler.feed(part) for part in np.split(samples, sorted(cuts))]
    return np.concatenate([*parts, resampler.finish()])


@settings(max_examples=60)
@given(data=st.data(), rate=st.integers(8000, 192_000) | st.sampled_from([8000, 16000, 44100, 48000, 192_000]))
def test_blocks_of_any_size_give_the_same_bits(data: st.DataObject, rate: int) -> None:
    samples = noise(0.4, rate)
    cuts = data.draw(st.lists(st.integers(0, len(samples)), max_size=12))
    np.testing.assert_array_equal(convert(samples, rate, cuts), convert(samples, rate, []))


@pytest.mark.parametrize("rate", [44100, 8000, 192_000, 11025, 9973])
def test_single_samples_give_the_same_bits(rate: int) -> None:
    samples = noise(0.05, rate)
    np.testing.assert_array_equal(convert(samples, rate, list(range(1, len(samples)))), convert(samples, rate, []))


@given(rate=st.integers(1000, 6_000_000), samples=st.integers(1, 30_000))
def test_a_sound_lasts_as_long_afterwards_as_before(rate: int, samples: int) -> None:
    converted = convert(np.zeros(samples, np.float32), rate, [])
    assert abs(len(converted) - samples * 16000 / rate) <= 1


@pytest.mark.parametrize("rate", [4000, 8000, 22050, 44100, 48000, 96000, 192_000, 384_000, 2_822_400])
def test_a_tone_stays_the_tone_it_was(rate: int) -> None:
    converted = convert(tone(1.0, 1000, rate), rate, [])
    np.testing.assert_allclose(converted[800:-800], tone(1.0, 1000)[800:-800], atol=2e-3)


def test_what_16_khz_cannot_hold_is_filtered_out() -> None:
    assert np.abs(convert(tone(1.0, 9000, 48000), 48000, [])[800:-800]).max() < 1e-3


@pytest.mark.parametrize("rate", [0, -16000, 100_000_001])
def test_a_rate_out_of_range_is_refused(rate: int) -> None:
    with pytest.raises(InputError, match=f"{rate} Hz cannot be used: it may be 1 to 100000000"):
        Resampler(rate)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([-(2**15), 0, 2**14], np.int16), [-1, 0, 0.5]),
        (np.array([-(2**31), 0, 2**30], np.int32), [-1, 0, 0.5]),
        (np.array([-1, 0, 0.5], np.float32), [-1, 0, 0.5]),
    ],
    ids=["int16", "int32", "float32"],
)
def test_every_sample_type_has_its_own_full_scale(samples: NDArray[np.int16], expected: list[float]) -> None:
    mono = to_mono(samples)
    assert mono.dtype == np.float32
    assert mono.tolist() == expected


def test_eight_channels_become_their_mean() -> None:
    channels = np.arange(8, dtype=np.float32) / np.float32(16)
    assert to_mono(np.tile(channels, (3, 1))).tolist() == [pytest.approx(3.5 / 16)] * 3


@pytest.mark.parametrize("channels", range(2, 10))
@pytest.mark.parametrize("samples", [1, 2, 40])
def test_the_mean_is_that_of_numpy_to_the_last_bit(samples: int, channels: int) -> None:
    floats = noise(samples * channels / 16000).reshape(samples, channels)
    floats[::3] = -0.0
    assert to_mono(floats).tobytes() == floats.mean(axis=1).tobytes()


@given(data=st.data(), channels=st.integers(1, 8), layout=st.sampled_from(["C", "F"]))
def test_the_mean_of_a_sample_does_not_depend_on_its_block(
    data: st.DataObject, channels: int, layout: Literal["C", "F"]
) -> None:
    samples = noise(40 * channels / 16000).reshape(40, channels)
    whole = to_mono(np.array(samples, order=layout))
    cuts = data.draw(st.lists(st.integers(0, 40), max_size=5))
    parts = [to_mono(part) for part in np.split(samples, sorted(cuts))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_lent_block_stays_as_it_is() -> None:
    samples = noise(0.01)
    before = samples.copy()
    to_mono(samples)[:] = 0
    np.testing.assert_array_equal(samples, before)


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        (np.zeros(10), "float64"),
        (np.zeros(10, np.uint8), "uint8"),
        (np.zeros((10, 0), np.float32), r"not \[10, 0\]"),
        (np.zeros((2, 10, 2), np.float32), r"not \[2, 10, 2\]"),
        (np.float32(0.5), r"not \[\]"),
    ],
    ids=["float64", "uint8", "no-channel", "three-dimensions", "a-number"],
)
def test_samples_of_another_type_or_shape_are_refused(samples: NDArray[np.float32], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        to_mono(samples)
