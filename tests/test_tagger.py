import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamtag.audio import log_mel
from streamtag.audio.block import Samples
from streamtag.bundle import installed
from streamtag.errors import BundleError, InputError, RuntimeUnavailableError, SourceError, StreamtagError
from streamtag.scoring import Scores
from streamtag.settings import EventSettings, LabelThresholds
from streamtag.tagger import Tagger
from tests.bundles import LABELS, make_bundle
from tests.sounds import noise, tone, write


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="module")
def tagger(tiny: Path) -> Tagger:
    return Tagger(tiny, "onnxruntime")


@pytest.fixture(scope="module")
def taggers(tagger: Tagger) -> list[Tagger]:
    """One of a made bundle, and one of each packaged bundle."""
    return [tagger, *(Tagger(name, "onnxruntime") for name in installed())]


def as_type(floats: NDArray[np.float32], kind: str) -> Samples:
    scale = {"int16": 2**15 - 1, "int32": 2**31 - 1, "float32": 1}[kind]
    return (floats.astype(np.float64) * scale).astype(kind)


def assert_same_bits(one: list[Scores], other: list[Scores]) -> None:
    assert [scores.start for scores in one] == [scores.start for scores in other]
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left.patch, right.patch)
        np.testing.assert_array_equal(left.rolling, right.rolling)
        assert (left.rms_dbfs, left.peak_dbfs, left.events) == (right.rms_dbfs, right.peak_dbfs, right.events)


@settings(max_examples=40)
@given(
    data=st.data(),
    rate=st.integers(8000, 192_000) | st.sampled_from([8000, 16000, 44100, 48000, 192_000]),
    channels=st.integers(1, 8),
    kind=st.sampled_from(["int16", "int32", "float32"]),
)
def test_blocks_of_any_size_give_the_same_scores_as_the_whole_to_the_last_bit(
    data: st.DataObject, taggers: list[Tagger], rate: int, channels: int, kind: str
) -> None:
    frames = round(1.5 * rate)
    sound = np.random.default_rng(rate).uniform(-0.9, 0.9, (frames, channels)).astype(np.float32)
    samples = as_type(sound, kind)
    cuts = data.draw(st.lists(st.integers(0, frames), max_size=10))
    edges = [0, *sorted(cuts), frames]
    pieces = [samples[begin:end] for begin, end in pairwise(edges)]
    for tagger in taggers:
        whole = list(tagger.stream([samples], rate))
        parts = list(tagger.stream(pieces, rate))
        assert len(whole) == 2
        assert_same_bits(parts, whole)


def test_one_channel_may_come_without_a_second_dimension(tagger: Tagger) -> None:
    sound = noise(2.0)
    assert_same_bits(list(tagger.stream([sound], 16000)), list(tagger.stream([sound[:, np.newaxis]], 16000)))


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"), [(16000, 1, "PCM_16"), (44100, 2, "PCM_24"), (48000, 1, "FLOAT")]
)
def test_a_stream_and_a_file_of_the_same_sound_score_alike(
    taggers: list[Tagger], tmp_path: Path, rate: int, channels: int, subtype: str
) -> None:
    sound = np.concatenate([tone(2.0, 300, rate), noise(2.0, rate), tone(2.4, 3000, rate)])
    samples = (np.round(sound * 2**14) / 2**14).astype(np.float32)[:, np.newaxis].repeat(channels, axis=1)
    path = write(tmp_path / "sound.wav", samples, rate, subtype)
    for tagger in taggers:
        streamed = list(tagger.stream(np.array_split(samples, 37), rate))
        result = tagger.tag(path)
        np.testing.assert_allclose([scores.patch for scores in streamed], result.patches, atol=1e-6)
        np.testing.assert_allclose([scores.start for scores in streamed], result.starts)
        ended = [event for scores in streamed for event in scores.events if event.state == "off"]
        assert {event.id for event in ended} <= {event.id for event in result.events}


def test_a_patch_is_yielded_as_soon_as_its_last_sample_is_there(tagger: Tagger) -> None:
    given_out = 0

    def blocks() -> Iterator[NDArray[np.float32]]:
        nonlocal given_out
        for block in np.split(noise(3.2), 32):
            given_out += len(block)
            yield block

    for scores in tagger.stream(blocks(), 16000):
        if scores.end < 3.2:
            assert given_out - 1600 < scores.start * 16000 + 15600 <= given_out


def test_scores_carry_place_level_and_both_rows(tagger: Tagger) -> None:
    scores = list(tagger.stream([tone(6.0, 1000, peak=1.0)], 16000))
    assert [round(each.start / 0.96) for each in scores] == [0, 1, 2, 3, 4, 5]
    for index, each in enumerate(scores):
        assert each.start == pytest.approx(0.96 * index)
        assert each.end == pytest.approx(each.start + 0.96)
        assert each.patch.shape == each.rolling.shape == (len(LABELS),)
        assert each.patch.dtype == each.rolling.dtype == np.float32
        rows = [before.patch for before in scores[max(0, index - 4) : index + 1]]
        np.testing.assert_allclose(each.rolling, np.mean(rows, axis=0), atol=1e-6)
    assert scores[0].rms_dbfs == pytest.approx(-3.01, abs=0.01)


def test_scores_that_were_kept_do_not_change_later(tagger: Tagger) -> None:
    stream = tagger.stream([noise(0.96), *([tone(0.96)] * 5)], 16000)
    first = next(stream)
    before = first.rows.copy()
    list(stream)
    np.testing.assert_array_equal(first.rows, before)


def test_sounds_in_a_row_become_events_in_a_row(tagger: Tagger, tmp_path: Path) -> None:
    low, high = tone(2.88, 350), tone(2.88, 2900)
    silence = np.zeros(2 * 15360, np.float32)
    path = write(tmp_path / "row.wav", np.concatenate([low, silence, high, silence]))
    events = [event for event in tagger.tag(path).events if event.label in ("Low hum", "Whistle")]
    assert [event.label for event in events] == ["Low hum", "Whistle"]
    assert [(event.onset, event.offset) for event in events] == [
        pytest.approx((0, 2.88), abs=0.97),
        pytest.approx((4.8, 7.68), abs=0.97),
    ]


def test_a_result_tells_labels_length_clip_scores_and_the_best(tagger: Tagger, tmp_path: Path) -> None:
    result = tagger.tag(write(tmp_path / "tone.wav", tone(5.0, 2900)))
    assert result.labels == LABELS
    assert result.seconds == pytest.approx(5.0)
    assert result.patches.shape == (5, len(LABELS))
    assert result.starts == pytest.approx(0.96 * np.arange(5))
    np.testing.assert_allclose(result.clip, result.patches.mean(axis=0))
    assert result.top(1)[0][0] == "Whistle"
    assert [score for _, score in result.top(3)] == sorted(result.clip.tolist(), reverse=True)[:3]
    assert len(result.top(100)) == len(LABELS)
    assert result.notes == ()


def test_an_event_that_is_on_at_the_end_ends_with_the_recording(tagger: Tagger, tmp_path: Path) -> None:
    result = tagger.tag(write(tmp_path / "tone.wav", tone(4.5, 2900)))
    (event,) = [event for event in result.events if event.label == "Whistle"]
    assert (event.onset, event.state) == (0.0, "off")
    assert event.offset == pytest.approx(4.5)


def test_thresholds_and_the_rolling_mean_can_be_given(tiny: Path) -> None:
    never = EventSettings(on=1.0, labels={"Whistle": LabelThresholds(on=0.2, off=0.1)})
    tagger = Tagger(tiny, rolling=1, events=never)
    scores = list(tagger.stream([tone(3.0, 2900)], 16000))
    assert [event.label for each in scores for event in each.events] == ["Whistle"]
    for each in scores:
        np.testing.assert_array_equal(each.rolling, each.patch)


def test_the_same_values_as_the_front_end_go_into_the_model(tagger: Tagger) -> None:
    sound = noise(3.0)
    expected = [float(1 / (1 + np.exp(-(4 * patch[:, 8:16].mean() + 10)))) for patch in log_mel(sound)]
    scores = list(tagger.stream([sound], 16000))
    np.testing.assert_allclose([each.patch[1] for each in scores], expected, atol=1e-4)


def test_nothing_streamed_scores_nothing(tagger: Tagger) -> None:
    assert list(tagger.stream([], 16000)) == []
    assert list(tagger.stream([np.zeros(0, np.float32), np.zeros((0, 2), np.float32)], 16000)) == []


def test_a_short_stream_is_one_patch(tagger: Tagger) -> None:
    assert [scores.start for scores in tagger.stream([noise(0.2)], 16000)] == [0]


@pytest.mark.filterwarnings("error")
def test_samples_that_are_not_finite_leave_scores_that_are(tagger: Tagger, tmp_path: Path) -> None:
    sound = noise(2.0)
    sound[::7] = np.nan
    sound[::11] = np.inf
    sound[::13] = -np.inf
    for scores in tagger.stream([sound], 16000):
        assert np.isfinite(scores.rows).all()
    result = tagger.tag(write(tmp_path / "broken.wav", sound, subtype="FLOAT"))
    assert np.isfinite(result.patches).all()
    assert "not finite" in result.notes[0]


@pytest.mark.parametrize("rate", [-8000, 100_000_001, 0])
def test_a_rate_that_cannot_be_used_is_refused(tagger: Tagger, rate: int) -> None:
    with pytest.raises(InputError, match=f"{rate} Hz"):
        list(tagger.stream([noise(1.0)], rate))


def test_a_recording_whose_rate_cannot_be_used_is_named(
    tagger: Tagger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamtag.audio.resample.MAX_RATE", 96_000)
    path = write(tmp_path / "high.wav", tone(0.2, rate=192_000), 192_000)
    with pytest.raises(InputError) as caught:
        tagger.tag(path)
    assert str(caught.value).startswith(f"{path}: a sample rate of 192000 Hz cannot be used")


@pytest.mark.parametrize("block", [np.zeros(9), np.zeros((9, 2, 2), np.float32), np.zeros(9, np.uint8)])
def test_a_block_that_cannot_be_used_is_refused(tagger: Tagger, block: Samples) -> None:
    with pytest.raises(InputError):
        list(tagger.stream([block], 16000))


def test_a_file_shorter_than_a_patch_is_tagged(tagger: Tagger, tmp_path: Path) -> None:
    result = tagger.tag(write(tmp_path / "short.wav", tone(0.1)))
    assert result.patches.shape == (1, len(LABELS))
    assert result.seconds == pytest.approx(0.1)
    assert all(event.offset == pytest.approx(0.1) for event in result.events)


def test_a_file_name_may_look_like_anything(tagger: Tagger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("take:2.wav", "http:song.wav", "a b#c?d=e.wav", "-.wav"):
        write(tmp_path / name, tone(0.5))
        assert len(tagger.tag(name).patches) == 1


def make_empty(path: Path) -> None:
    path.write_bytes(b"")


def make_text(path: Path) -> None:
    path.write_text("this is no sound\n" * 100)


def make_header_alone(path: Path) -> None:
    write(path, np.zeros(0, np.float32))


def make_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [make_empty, make_text, make_header_alone, make_folder, lambda _: None])
def test_a_file_without_audio_is_refused_with_one_line(
    tagger: Tagger, tmp_path: Path, make: Callable[[Path], object]
) -> None:
    path = tmp_path / "sound.wav"
    make(path)
    with pytest.raises(SourceError) as refusal:
        tagger.tag(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_cut_file_is_tagged_as_far_as_it_goes(tagger: Tagger, tmp_path: Path) -> None:
    path = write(tmp_path / "cut.wav", tone(6.0, 2900))
    os.truncate(path, path.stat().st_size // 2)
    result = tagger.tag(path)
    assert len(result.patches) == 3
    assert result.top(1)[0][0] == "Whistle"
    assert any("ended early" in note for note in result.notes)


def test_bundles_and_runtimes_that_are_not_there_are_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        Tagger(tmp_path / "absent")
    with pytest.raises(RuntimeUnavailableError):
        Tagger(tiny, "absent")
    assert issubclass(BundleError, StreamtagError)


def test_a_tagger_may_tag_several_files_at_once(tagger: Tagger, tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{hz}.wav", tone(3.0, hz)) for hz in (200, 1000, 3000, 5000)]
    alone = [tagger.tag(path) for path in paths]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(tagger.tag, paths))
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.patches, other.patches)
        assert one.events == other.events
