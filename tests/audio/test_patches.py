import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamtag.audio import Block, Patch, Patcher
from streamtag.audio.block import Samples
from streamtag.audio.frontend import PATCH_HOP, PATCH_SAMPLES, SAMPLE_RATE
from streamtag.errors import InputError
from tests.sounds import noise, tone

SECOND = 16000


def blocks_of(samples: Samples, cuts: list[int], rate: int = SECOND, start: int = 0) -> list[Block]:
    """Cut a sound into blocks; the stream's first sample was captured at 1000 s."""
    edges = [0, *sorted(cuts), len(samples)]
    return [Block(samples[a:b], start + a, rate, 1000 + (start + b) / rate) for a, b in pairwise(edges)]


def cut(*blocks: Block) -> list[Patch]:
    patcher = Patcher()
    return [patch for block in blocks for patch in patcher.feed(block)] + patcher.finish()


def starts(patches: list[Patch]) -> list[int]:
    return [patch.start for patch in patches]


def sample_of(kind: str, rate: int, channels: int, seconds: float) -> Samples:
    """Noise of a sample type: [samples, channels]."""
    floats = np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * rate), channels)).astype(np.float32)
    full_scale = {"int16": 2**15, "int32": 2**31, "float32": 1}[kind]
    return (floats.astype(np.float64) * full_scale).astype(kind)


def test_patches_follow_each_other_every_960_ms_and_carry_the_sound() -> None:
    sound = noise(4.0)
    patches = cut(*blocks_of(sound, []))
    assert starts(patches) == [0, 15360, 30720, 46080]
    for patch in patches[:3]:
        np.testing.assert_array_equal(patch.window, sound[patch.start : patch.start + PATCH_SAMPLES])


def test_a_patch_is_there_as_soon_as_its_last_sample() -> None:
    patcher = Patcher()
    sound = noise(1.0)
    assert patcher.feed(Block(sound[:15599], 0, SECOND, 0.0)) == []
    assert len(patcher.feed(Block(sound[15599:15600], 15599, SECOND, 0.0))) == 1


def test_the_tail_of_at_least_half_a_patch_is_padded() -> None:
    sound = noise(3.0)
    with_tail = cut(*blocks_of(sound[: 15360 + 7680], []))
    assert starts(with_tail) == [0, 15360]
    assert not with_tail[1].window[7680:].any()
    np.testing.assert_array_equal(with_tail[1].window[:7680], sound[15360 : 15360 + 7680])
    assert starts(cut(*blocks_of(sound[: 15360 + 7679], []))) == [0]


def test_a_recording_shorter_than_a_patch_gives_one() -> None:
    assert starts(cut(*blocks_of(noise(0.01), []))) == [0]
    assert starts(cut(*blocks_of(noise(0.01, 48000), [], 48000))) == [0]


def test_no_sound_gives_no_patch() -> None:
    assert cut() == []
    assert cut(Block(np.zeros((0, 2), np.int16), 0, SECOND, 0.0)) == []


@settings(max_examples=60)
@given(
    data=st.data(),
    rate=st.integers(8000, 192_000) | st.sampled_from([8000, 16000, 44100, 48000, 192_000]),
    channels=st.integers(1, 8),
    kind=st.sampled_from(["int16", "int32", "float32"]),
)
def test_blocks_of_any_size_give_the_same_patches_to_the_last_bit(
    data: st.DataObject, rate: int, channels: int, kind: str
) -> None:
    samples = sample_of(kind, rate, channels, 1.5)
    cuts = data.draw(st.lists(st.integers(0, len(samples)), max_size=10))
    whole, parts = cut(*blocks_of(samples, [], rate)), cut(*blocks_of(samples, cuts, rate))
    assert starts(parts) == starts(whole) == [0, 15360]
    for one, other in zip(parts, whole, strict=True):
        np.testing.assert_array_equal(one.window, other.window)
        assert (one.rms_dbfs, one.peak_dbfs) == (other.rms_dbfs, other.peak_dbfs)
        assert one.time == pytest.approx(other.time, abs=0.08)  # what the resampler holds back


def test_a_lost_block_shows_as_a_jump() -> None:
    sound = noise(6.0)
    patcher = Patcher()
    before = patcher.feed(Block(sound[:32000], 0, SECOND, 0.0))
    after = patcher.feed(Block(sound[40000:], 40000, SECOND, 0.0))
    assert starts(before) == [0, 15360]
    assert starts(after) == [40000, 40000 + 15360, 40000 + 30720]
    assert patcher.lost_samples == 8000 + 32000 - 2 * PATCH_HOP
    np.testing.assert_array_equal(after[0].window, sound[40000 : 40000 + PATCH_SAMPLES])


def test_a_patch_never_spans_a_hole() -> None:
    sound = noise(2.0)
    patcher = Patcher()
    assert patcher.feed(Block(sound[:12000], 0, SECOND, 0.0)) == []
    (tail,) = patcher.feed(Block(sound[12000:24000], 12001, SECOND, 0.0))
    assert tail.start == 0
    np.testing.assert_array_equal(tail.window[:12000], sound[:12000])
    assert not tail.window[12000:].any()
    assert patcher.lost_samples == 1


def test_less_than_half_a_patch_before_a_hole_is_left_out() -> None:
    patches = cut(Block(noise(0.4), 0, SECOND, 0.0), Block(noise(1.0), 32000, SECOND, 0.0))
    assert starts(patches) == [32000]


@given(
    rate=st.sampled_from([8000, 16000, 48000]),
    pieces=st.lists(st.tuples(st.integers(1, 30_000), st.integers(0, 30_000)), min_size=1, max_size=6),
)
def test_every_sample_is_in_a_patch_or_counted_as_lost_or_waits(rate: int, pieces: list[tuple[int, int]]) -> None:
    patcher = Patcher()
    position = 0
    patches = []
    for size, gap in pieces:
        patches += patcher.feed(Block(np.zeros(size, np.float32), position, rate, 0.0))
        position += size + gap
    patches += patcher.interrupt()
    position -= pieces[-1][1]  # nothing is known to follow the last piece
    assert patcher.patches == len(patches)
    for one, other in pairwise(starts(patches)):
        assert other > one  # time never goes back
    accounted = len(patches) * PATCH_HOP + patcher.lost_samples
    elapsed = position * SAMPLE_RATE / rate
    assert abs(accounted - elapsed) <= PATCH_HOP + 2 * len(pieces)  # whatever rests are padded


def test_many_holes_do_not_add_up_what_rests_before_them_are_padded_with() -> None:
    patcher = Patcher()
    position, scored = 0, 0
    for _ in range(100):
        scored += len(patcher.feed(Block(np.zeros(24_000, np.float32), position, SECOND, 0.0)))
        position += 24_000 + 16_000
    scored += len(patcher.interrupt())
    assert scored == 200  # each rest of 0.6 s is scored
    elapsed = position - 16_000
    assert patcher.patches * PATCH_HOP + patcher.lost_samples == pytest.approx(elapsed, abs=PATCH_HOP)


def test_rests_before_holes_that_are_shorter_than_the_padding_are_lost_by_turns() -> None:
    patcher = Patcher()
    for number in range(200):
        patcher.feed(Block(np.zeros(10_000, np.float32), number * 10_320, SECOND, 0.0))
    patcher.interrupt()
    elapsed = 200 * 10_320 - 320
    assert patcher.patches * PATCH_HOP + patcher.lost_samples == pytest.approx(elapsed, abs=PATCH_HOP)
    assert patcher.patches > 5


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.47])
def test_fragments_that_are_too_short_to_be_scored_count_as_lost(seconds: float) -> None:
    patcher = Patcher()
    size = round(seconds * SECOND)
    for number in range(100):
        assert patcher.feed(Block(np.ones(size, np.float32), number * (size + 320), SECOND, 0.0)) == []
    patcher.interrupt()
    assert patcher.lost_samples == 100 * size + 99 * 320


def test_a_recording_s_short_rest_is_not_lost() -> None:
    patcher = Patcher()
    patcher.feed(Block(noise(1.2), 0, SECOND, 0.0))
    assert patcher.finish() == []
    assert patcher.lost_samples == 0


def test_a_source_that_counts_anew_goes_on_where_it_was() -> None:
    patcher = Patcher()
    patcher.feed(Block(noise(2.0), 0, SECOND, 0.0))
    (tail_or_next, *_) = patcher.feed(Block(noise(2.0), 0, SECOND, 0.0))
    assert tail_or_next.start == 32000
    assert patcher.lost_samples == 32000 - 2 * PATCH_HOP  # the rest alone


def test_the_first_block_is_the_stream_s_beginning_whatever_it_counts_from() -> None:
    patcher = Patcher()
    assert starts(patcher.feed(Block(noise(1.0), 123_456, SECOND, 0.0))) == [0]
    patcher.feed(Block(noise(1.0), 123_456 + 16000 + 500, SECOND, 0.0))
    assert patcher.lost_samples == 500 + 16000 - PATCH_HOP


@pytest.mark.parametrize("first", [0, 80_000])
@pytest.mark.parametrize("rates", [(16000, 48000), (48000, 16000), (44100, 8000)])
def test_a_change_of_rate_without_a_hole_goes_on_as_one_stretch(first: int, rates: tuple[int, int]) -> None:
    patcher = Patcher()
    before, after = rates
    patches = patcher.feed(Block(tone(2.0, rate=before), first * before // 16000, before, 1002.0))
    patches += patcher.feed(Block(tone(2.0, rate=after), (first + 32000) * after // 16000, after, 1004.0))
    patches += patcher.finish()
    assert starts(patches) == [0, 15360, 30720, 46080]
    assert patcher.lost_samples == 0
    across = patches[2]
    assert across.rms_dbfs == pytest.approx(patches[0].rms_dbfs, abs=0.3)
    assert across.time == pytest.approx(1000 + (across.start + PATCH_SAMPLES) / SAMPLE_RATE, abs=0.01)


def test_sound_whose_rate_changes_all_the_time_is_scored_whole() -> None:
    patcher = Patcher()
    position = 0.0
    for number in range(100):
        rate = (48000, 22050)[number % 2]
        patcher.feed(Block(np.zeros(round(1.4 * rate), np.float32), round(position * rate), rate, 0.0))
        position += 1.4
    patcher.finish()
    assert patcher.patches == round(140 / 0.96)
    assert patcher.lost_samples == 0


def test_a_loss_at_a_change_of_rate_is_counted() -> None:
    patcher = Patcher()
    patcher.feed(Block(noise(2.0), 8000, SECOND, 0.0))
    patches = patcher.feed(Block(noise(1.5, 48000), 3 * (8000 + 32000 + 16000), 48000, 0.0))
    assert patches[-1].start == 48000
    assert patcher.lost_samples == 16000 + 32000 - 2 * PATCH_HOP


def test_an_interrupted_source_gives_its_tail_at_once() -> None:
    patcher = Patcher()
    patcher.feed(Block(noise(0.6), 0, SECOND, 0.0))
    assert starts(patcher.interrupt()) == [0]
    assert patcher.interrupt() == []
    assert starts(patcher.feed(Block(noise(1.0), 9600, SECOND, 0.0))) == [9600]
    assert patcher.lost_samples == 0
    assert patcher.finish() == []


@pytest.mark.parametrize("rate", [16000, 48000])
def test_nothing_is_left_to_interrupt_or_finish_twice(rate: int) -> None:
    patcher = Patcher()
    assert patcher.interrupt() == []
    patcher.feed(Block(noise(0.6, rate), 0, rate, 0.0))
    assert len(patcher.finish()) == 1
    assert patcher.finish() == []
    assert patcher.interrupt() == []


def test_a_patch_was_captured_with_its_last_sample() -> None:
    patches = cut(*blocks_of(noise(4.0), [1000, 20_000, 33_000]))
    assert [patch.time for patch in patches] == pytest.approx([1000.975, 1001.935, 1002.895, 1003.855])


def test_a_padded_patch_was_captured_with_the_last_sample_there_was() -> None:
    (patch,) = cut(*blocks_of(noise(0.5), []))
    assert patch.time == pytest.approx(1000.5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_that_are_not_finite_are_taken_as_0_and_counted(channels: int) -> None:
    sound = np.full((16000, channels), 0.25, np.float32)
    sound[100] = np.nan
    sound[200, 0] = np.inf
    sound[300, -1] = -np.inf
    sound[400] = [np.inf, -np.inf][:channels]
    patcher = Patcher()
    (patch,) = patcher.feed(Block(sound, 0, SECOND, 0.0))
    expected = np.full(PATCH_SAMPLES, 0.25, np.float32)
    expected[[100, 200, 300, 400]] = 0
    np.testing.assert_array_equal(patch.window, expected)
    assert patcher.bad_samples == 4
    assert np.isnan(sound[100]).all()  # the caller's block stays as it is


@pytest.mark.filterwarnings("error")
def test_samples_beyond_full_scale_are_clipped() -> None:
    sound = np.full(16000, 0.5, np.float32)
    sound[:3] = [7, -7, 3e38]
    (patch,) = Patcher().feed(Block(sound, 0, SECOND, 0.0))
    assert patch.window[:4].tolist() == [1, -1, 1, 0.5]
    assert patch.peak_dbfs == 0


@pytest.mark.filterwarnings("error")
def test_huge_samples_in_every_place_are_clipped_too() -> None:
    patcher = Patcher()
    (patch,) = patcher.feed(Block(np.full((16000, 2), 3e38, np.float32), 0, SECOND, 0.0))
    assert np.isfinite(patch.window).all()
    assert np.isfinite([patch.rms_dbfs, patch.peak_dbfs]).all()


def test_eight_channels_are_heard_as_their_mean() -> None:
    sound = np.zeros((16000, 8), np.float32)
    sound[:, 3] = 0.8
    (patch,) = Patcher().feed(Block(sound, 0, SECOND, 0.0))
    np.testing.assert_allclose(patch.window, 0.1, rtol=1e-6)


@pytest.mark.parametrize("kind", ["int16", "int32", "float32"])
def test_levels_do_not_depend_on_the_sample_type(kind: str) -> None:
    square = sample_of(kind, SECOND, 1, 1.0)
    top = {"int16": 2**15 - 1, "int32": 2**31 - 1, "float32": 1}[kind]
    square[:] = np.where(np.arange(len(square)) // 40 % 2, top, -top)[:, np.newaxis]
    (patch,) = Patcher().feed(Block(square, 0, SECOND, 0.0))
    assert (patch.rms_dbfs, patch.peak_dbfs) == pytest.approx((0, 0), abs=1e-3)


def test_a_sine_and_silence_have_the_levels_that_they_should() -> None:
    (sine,) = Patcher().feed(Block(tone(1.0, 1000, peak=1.0), 0, SECOND, 0.0))
    assert sine.rms_dbfs == pytest.approx(20 * math.log10(math.sqrt(0.5)), abs=1e-3)
    (silence,) = Patcher().feed(Block(np.zeros(16000, np.int16), 0, SECOND, 0.0))
    assert (silence.rms_dbfs, silence.peak_dbfs) == (-120, -120)


@pytest.mark.parametrize(
    ("samples", "rate", "problem"),
    [
        (np.zeros(100), 16000, "float64"),
        (np.zeros((10, 2, 2), np.float32), 16000, "shape"),
        (np.zeros(100, np.float32), 0, "0 Hz"),
        (np.zeros(100, np.float32), 100_000_001, "100000001 Hz"),
    ],
    ids=["type", "shape", "low-rate", "high-rate"],
)
def test_a_bad_block_is_refused_and_the_stream_goes_on(samples: NDArray[np.float32], rate: int, problem: str) -> None:
    patcher = Patcher()
    sound = noise(1.0)
    patcher.feed(Block(sound[:8000], 0, SECOND, 0.0))
    with pytest.raises(InputError, match=problem):
        patcher.feed(Block(samples, 8000, rate, 0.0))
    (patch,) = patcher.feed(Block(sound[8000:], 8000, SECOND, 0.0))
    np.testing.assert_array_equal(patch.window, sound[:PATCH_SAMPLES])
    assert patcher.lost_samples == 0


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 192000])
def test_a_patch_was_captured_when_its_last_sample_was(rate: int) -> None:
    patcher = Patcher()
    size = rate // 50
    found = []
    for number in range(150):
        block = Block(np.zeros(size, np.float32), number * size, rate, 1000.0 + (number + 1) * 0.02)
        found += patcher.feed(block)
    assert len(found) >= 2
    for patch in found:
        assert patch.time == pytest.approx(1000.0 + (patch.start + PATCH_SAMPLES) / SAMPLE_RATE, abs=1e-3)
