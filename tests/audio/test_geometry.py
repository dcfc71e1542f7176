"""Windows of any length and rate, with hops below, at and above them: what holds of the default holds of each."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamtag.audio import Block, Geometry, Patch, Patcher
from streamtag.audio.levels import levels_dbfs

RATES = [8000, 16000, 22050, 32000, 48000, 96000]


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Windows of 0.5 to 10 s, a hop of a tenth of the window to twice as much."""
    rate = draw(st.sampled_from(RATES))
    samples = round(rate * draw(st.sampled_from([0.5, 0.975, 3.0, 10.0])))
    hop = max(1, round(samples * draw(st.sampled_from([0.1, 0.5, 0.93, 1.0, 1.7]))))
    return Geometry(rate, samples, hop)


def sound_of(seconds: float, rate: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(-0.5, 0.5, round(seconds * rate)).astype(np.float32)


def cut(geometry: Geometry, sound: NDArray[np.float32], cuts: list[int], rate: int | None = None) -> list[Patch]:
    patcher = Patcher(geometry)
    rate = rate or geometry.rate
    patches = []
    edges = [0, *sorted(cuts), len(sound)]
    for start, end in itertools.pairwise(edges):
        patches += patcher.feed(Block(sound[start:end], start, rate, end / rate))
    return patches + patcher.finish()


@settings(max_examples=25, deadline=None)
@given(geometry=geometries(), seconds=st.floats(0.3, 14), data=st.data())
def test_windows_are_where_they_should_be_however_the_sound_comes(
    geometry: Geometry, seconds: float, data: st.DataObject
) -> None:
    sound = sound_of(seconds, geometry.rate)
    patches = cut(geometry, sound, data.draw(st.lists(st.integers(0, len(sound)), max_size=6)))
    whole = 0 if len(sound) < geometry.samples else 1 + (len(sound) - geometry.samples) // geometry.hop
    assert len(patches) in (whole, whole + 1)
    for number, patch in enumerate(patches):
        assert patch.start == number * geometry.hop
        assert patch.start_seconds == number * geometry.hop / geometry.rate
        assert patch.end_seconds == pytest.approx(patch.start_seconds + geometry.hop / geometry.rate)
        held = sound[patch.start : patch.start + geometry.samples]
        np.testing.assert_array_equal(patch.window[: len(held)], held)
        assert not patch.window[len(held) :].any()
        assert (patch.rms_dbfs, patch.peak_dbfs) == levels_dbfs(patch.window[: geometry.hop])
        if number < whole:
            assert patch.time == pytest.approx((patch.start + geometry.samples) / geometry.rate)


@settings(max_examples=25, deadline=None)
@given(geometry=geometries(), seconds=st.floats(0.3, 14))
def test_a_tail_is_padded_where_it_holds_half_a_patch_and_nothing_that_was_heard_already(
    geometry: Geometry, seconds: float
) -> None:
    sound = sound_of(seconds, geometry.rate)
    patches = cut(geometry, sound, [])
    last = patches[-1].start + geometry.samples
    rest = len(sound) - patches[-1].start - geometry.hop
    assert last >= len(sound) or 2 * rest < geometry.span  # less than half a patch, or it lies in a gap
    if len(patches) > 1:
        assert patches[-2].start + geometry.samples < len(sound)  # no patch holds only what another one has


@settings(max_examples=25, deadline=None)
@given(
    geometry=geometries().filter(lambda each: each.hop <= each.samples),
    pieces=st.lists(st.tuples(st.floats(0.01, 3), st.floats(0, 3)), min_size=1, max_size=5),
)
def test_patches_and_what_is_lost_add_up_to_the_time_that_passed(
    geometry: Geometry, pieces: list[tuple[float, float]]
) -> None:
    patcher = Patcher(geometry)
    position, patches = 0, []
    for seconds, gap in pieces:
        count = max(1, round(seconds * geometry.rate))
        patches += patcher.feed(Block(np.zeros(count, np.float32), position, geometry.rate, 0.0))
        end = position + count
        position = end + round(gap * geometry.rate)
    patches += patcher.interrupt()
    starts = [patch.start for patch in patches]
    assert starts == sorted(set(starts))
    assert abs(len(patches) * geometry.hop + patcher.lost_samples - end) <= geometry.hop + 2 * len(pieces)


@settings(max_examples=15, deadline=None)
@given(
    geometry=geometries().filter(lambda each: each.hop > each.samples),
    pieces=st.lists(st.floats(0.01, 8), min_size=1, max_size=4),
)
def test_what_lies_between_windows_is_neither_heard_nor_lost_and_is_shown_all_the_same(
    geometry: Geometry, pieces: list[float]
) -> None:
    patcher = Patcher(geometry)
    shown: list[tuple[int, int]] = []
    patcher.tap = lambda start, samples, _: shown.append((start, len(samples)))
    position = 0
    for seconds in pieces:
        count = max(1, round(seconds * geometry.rate))
        patcher.feed(Block(np.zeros(count, np.float32), position, geometry.rate, 0.0))
        position += count
    assert patcher.lost_samples == 0
    place = 0
    for start, count in shown:
        assert start == place
        place += count
    assert place == position


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
@pytest.mark.parametrize("geometry", [Geometry(32000, 96000, 48000), Geometry(8000, 4000, 12000)], ids=str)
def test_sound_of_any_rate_is_brought_to_the_models(geometry: Geometry, rate: int) -> None:
    seconds = np.arange(7 * rate) / rate
    patches = cut(geometry, np.sin(2 * np.pi * 1000 * seconds).astype(np.float32), [3000, 50_000], rate)
    assert [patch.start for patch in patches][:2] == [0, geometry.hop]
    for patch in patches[:2]:
        time = (patch.start + np.arange(geometry.samples)) / geometry.rate
        middle = slice(geometry.samples // 10, -geometry.samples // 10)
        np.testing.assert_allclose(patch.window[middle], np.sin(2 * np.pi * 1000 * time)[middle], atol=2e-3)


def test_long_windows_come_in_small_batches() -> None:
    assert Geometry().batch(4096) == 4096
    assert Geometry(32000, 320_000, 32000).batch(256) == 12
    assert Geometry(96000, 960_000, 48000).batch(2) == 2
