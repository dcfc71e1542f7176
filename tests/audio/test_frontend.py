"""The front end against its definition, written down a second time without a thought for speed."""

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamtag.audio.frontend import (
    PATCH_HOP,
    PATCH_SAMPLES,
    count_patches,
    hann,
    log_mel,
    log_mel_windows,
    mel_weights,
)
from streamtag.errors import InputError
from tests.sounds import chirp, noise, tone

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "logmel.npz"


def mel(hertz: float) -> float:
    return 1127 * math.log(1 + hertz / 700)


@cache
def triangles() -> NDArray[np.float64]:
    """The mel filters, one weight at a time: float64 [257, 64]."""
    weights = np.zeros((257, 64))
    step = (mel(7500) - mel(125)) / 65
    for band in range(64):
        centre = mel(125) + (band + 1) * step
        for fft_bin in range(1, 257):
            weights[fft_bin, band] = max(0.0, 1 - abs(mel(fft_bin * 16000 / 512) - centre) / step)
    return weights


def patch_by_definition(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """One log-mel patch in float64 from 15 600 samples, frame by frame: [96, 64]."""
    rows = []
    for frame in range(96):
        windowed = np.zeros(512)
        for n in range(400):
            windowed[n] = samples[160 * frame + n] * (0.5 - 0.5 * math.cos(2 * math.pi * n / 400))
        rows.append(np.log(np.abs(np.fft.rfft(windowed)) @ triangles() + 0.01))
    return np.array(rows)


@pytest.mark.parametrize("second", [0.0, 1.5], ids=["first-patch", "third-patch"])
def test_noise_gives_the_values_of_the_definition(second: float) -> None:
    sound = noise(3.0)
    patch = 0 if second == 0 else 2
    begin = patch * 15360
    expected = patch_by_definition(sound[begin : begin + 15600])
    np.testing.assert_allclose(log_mel(sound)[patch], expected, atol=1e-5, rtol=0)


def test_a_rising_tone_gives_the_values_of_the_definition() -> None:
    sound = chirp(0.975, 50, 7900)
    np.testing.assert_allclose(log_mel(sound)[0], patch_by_definition(sound), atol=1e-3, rtol=0)


def test_a_few_known_values_of_a_tone() -> None:
    patch = log_mel(tone(0.975, 1000))[0]
    # A tone's spectrum is the window's own: at 1 kHz, which is bin 32 exactly, half of the amplitude times 200.
    loudest = int(patch[50].argmax())
    assert abs(mel(1000) - mel(125) - (loudest + 1) * (mel(7500) - mel(125)) / 65) < (mel(7500) - mel(125)) / 65
    assert patch[50, loudest] > math.log(50 * 0.5)
    assert patch[50, 60] < math.log(0.02)


def test_silence_gives_the_logarithm_of_the_offset_everywhere() -> None:
    np.testing.assert_allclose(log_mel(np.zeros(15600, np.float32)), math.log(0.01), atol=1e-6)


def test_filters_and_window_are_those_of_the_definition() -> None:
    np.testing.assert_allclose(mel_weights(), triangles(), atol=1e-12)
    assert hann()[0] == 0
    assert hann()[200] == 1
    assert hann()[1] == hann()[399]


def test_the_reference_values_hold_where_they_are() -> None:
    if not REFERENCE.exists():
        return  # the definition above is always tested; these are the published front end's own values
    with np.load(REFERENCE) as reference:
        np.testing.assert_allclose(mel_weights(), reference["mel_weights"], atol=1e-6)
        np.testing.assert_allclose(hann(), reference["hann"], atol=1e-6)
        for name in ("sine1k", "noise", "chirp", "impulses", "silence", "dog"):
            expected = reference[f"patch_{name}"]
            patches = log_mel(reference[f"wave_{name}"])[: len(expected)]
            tolerance = 1e-3 if name in ("sine1k", "chirp") else 1e-4
            np.testing.assert_allclose(patches, expected, atol=tolerance, rtol=0, err_msg=name)


def test_neighbouring_patches_share_samples_and_no_frames() -> None:
    click = np.zeros(3 * 15360 + 240, np.float32)
    click[15360 + 50] = 1.0  # in the first frame of patch 1, and in the last two of patch 0
    heard = np.any(log_mel(click) > math.log(0.02), axis=2)
    assert np.flatnonzero(heard[0]).tolist() == [94, 95]
    assert np.flatnonzero(heard[1]).tolist() == [0]
    assert not heard[2].any()


@pytest.mark.parametrize(
    ("samples", "patches"),
    [
        (1, 1),
        (7679, 1),
        (15359, 1),
        (15360, 1),
        (15599, 1),
        (15600, 1),
        (15360 + 7679, 1),
        (15360 + 7680, 2),
        (2 * 15360 + 239, 2),
        (2 * 15360 + 240, 2),
        (46319, 3),
        (46320, 3),
        (3 * 15360 + 7680, 4),
    ],
)
def test_a_tail_counts_from_half_a_patch_on(samples: int, patches: int) -> None:
    assert log_mel(np.zeros(samples, np.float32)).shape == (patches, 96, 64)


@given(samples=st.integers(1, 2_000_000))
def test_any_length_follows_the_rule_for_whole_patches_and_the_tail(samples: int) -> None:
    whole = 0
    while 15360 * whole + 15600 <= samples:
        whole += 1
    left = samples - 15360 * whole  # seconds of sound that no whole patch begins with
    expected = whole + (1 if whole == 0 or left >= 15360 / 2 else 0)
    assert sum(count_patches(samples)) == expected


def test_a_tail_is_padded_with_zeros() -> None:
    sound = noise(1.6)
    padded = np.concatenate([sound, np.zeros(2 * PATCH_HOP + PATCH_SAMPLES - len(sound), np.float32)])
    np.testing.assert_array_equal(log_mel(sound), log_mel(padded)[:2])


@settings(max_examples=30)
@given(count=st.integers(1, 11), first=st.integers(0, 10))
def test_a_patch_does_not_depend_on_its_neighbours_in_the_batch(count: int, first: int) -> None:
    windows = noise(11 * 15600 / 16000).reshape(11, 15600)[first : first + count]
    together = log_mel_windows(windows)
    alone = [log_mel_windows(window[np.newaxis])[0] for window in windows]
    np.testing.assert_array_equal(together, np.array(alone))


def test_patches_can_be_written_into_a_place_made_before() -> None:
    windows = noise(2 * 15600 / 16000).reshape(2, 15600)
    batch = np.full((3, 96, 64), 7, np.float32)
    log_mel_windows(windows, batch[:2])
    np.testing.assert_array_equal(batch[:2], log_mel_windows(windows))
    assert (batch[2] == 7).all()


def test_other_number_types_and_layouts_are_taken_as_they_are() -> None:
    sound = noise(1.0)
    np.testing.assert_array_equal(log_mel(sound.astype(np.float64)), log_mel(sound))
    np.testing.assert_array_equal(log_mel(np.repeat(sound, 2)[::2]), log_mel(sound))


@pytest.mark.parametrize("kind", [np.int16, np.int32])
def test_whole_numbers_are_taken_at_full_scale(kind: type[np.signedinteger]) -> None:
    numbers = (noise(1.0) * np.iinfo(kind).max).astype(kind)
    scaled = numbers.astype(np.float32) / -float(np.iinfo(kind).min)
    np.testing.assert_array_equal(log_mel(numbers), log_mel(scaled))


@pytest.mark.parametrize(
    ("waveform", "problem"),
    [
        (np.zeros(16000, np.int64), "not int64"),
        (np.zeros(16000, np.uint8), "not uint8"),
        (np.zeros(16000, bool), "not bool"),
        (np.zeros(16000, complex), "not complex128"),
        (np.zeros(0, np.float32), "empty"),
        (np.zeros((16000, 2), np.float32), "take the mean"),
        (np.array([0.0, np.nan], np.float32), "not finite"),
        (np.array([0.0, -np.inf], np.float32), "not finite"),
    ],
    ids=["int64", "uint8", "bool", "complex", "empty", "two-channels", "nan", "infinite"],
)
def test_a_waveform_that_cannot_be_used_is_refused_with_one_line(waveform: NDArray[np.float32], problem: str) -> None:
    with pytest.raises(InputError, match=problem) as refusal:
        log_mel(waveform)
    assert "\n" not in str(refusal.value)
