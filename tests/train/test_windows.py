"""From recordings to training windows: rendering, effects, and the cache that keeps them."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import settings as settings_of_tests
from hypothesis import strategies as st
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from streamtag.audio.frontend import PATCH_SAMPLES, log_mel_windows
from streamtag.errors import ConfigError
from tests.train.conftest import KINDS, sound_of
from train.augment import mask_and_shift
from train.data import cache as cache_module
from train.data import effects
from train.data.bank import Bank, make_bank
from train.data.cache import Cache, Rows
from train.data.clips import Clip
from train.data.make import PLAIN, fill, plain_windows
from train.data.render import RenderSettings, plain, render
from train.labels import LabelTable
from train.settings import FitSettings, Settings

LABELS = LabelTable.of([*KINDS, "Silence", "Static"])
_PLAIN = RenderSettings(mix=(1.0,), speed=0, colour=0, room=0, made_room=0, noise=0, telephone=0, codec=0, clip=0,
                        short=0, silence=0, bare_noise=0, unlabelled=0)  # fmt: skip


@pytest.fixture(scope="module")
def bank() -> Bank:
    clips = [Clip(kind, Path(), "", (kind,), kind, "made") for kind in KINDS]
    return make_bank(clips, [sound_of(kind, 1) for kind in KINDS], [], LABELS, 0.7)


@settings_of_tests(max_examples=30)
@given(seed=st.integers(0, 100_000))
def test_a_window_is_finite_within_full_scale_and_never_sure_and_unsure_at_once(bank: Bank, seed: int) -> None:
    window = render(bank, RenderSettings(), np.random.default_rng(seed))
    assert window.samples.shape == (48000,)
    assert 0 <= window.at <= 48000 - 15600
    assert window.samples.dtype == np.float32
    assert np.abs(window.samples).max() <= 1
    assert not (window.positive & window.unsure).any()


@given(seed=st.integers(0, 100_000))
@example(seed=17605)  # whose cut falls between a click and the middle of the frame that it stands in
def test_a_window_of_one_recording_has_its_label(bank: Bank, seed: int) -> None:
    settings = msgspec.structs.replace(_PLAIN, active=1.0)
    window = render(bank, settings, np.random.default_rng(seed))
    assert window.positive.sum() == 1 or window.unsure.any()
    assert np.abs(window.samples).max() > 0


@given(seed=st.integers(0, 100_000))
def test_made_silence_is_labelled_silence_and_is_quiet(bank: Bank, seed: int) -> None:
    window = render(bank, msgspec.structs.replace(_PLAIN, silence=1.0), np.random.default_rng(seed))
    assert LABELS.names[int(np.flatnonzero(window.positive)[0])] == "Silence"
    assert np.sqrt(np.mean(window.samples**2)) < 10 ** (-57 / 20)


def test_bare_noise_has_no_certain_label_and_may_be_static(bank: Bank) -> None:
    window = render(bank, msgspec.structs.replace(_PLAIN, bare_noise=1.0), np.random.default_rng(1))
    assert not window.positive.any()
    assert window.unsure[LABELS.index("Static")]


def test_a_recording_far_below_the_others_is_unsure(bank: Bank) -> None:
    settings = msgspec.structs.replace(_PLAIN, mix=(0.0, 1.0), mix_db=(-40.0, -39.0), active=1.0)
    found = [render(bank, settings, np.random.default_rng(seed)) for seed in range(80)]
    assert all(window.positive.sum() <= 1 for window in found)
    # The second recording lasts two of the window's three seconds and may be of the first one's label.
    assert sum(window.unsure[[LABELS.index(kind) for kind in KINDS]].any() for window in found) > 20


def test_speed_changes_length_and_pitch_together() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(effects.change_speed(tone, 8000)))
    assert int(spectrum.argmax()) == 1000


def test_a_room_of_one_impulse_changes_nothing() -> None:
    sound = sound_of("Siren", 1)
    room = np.zeros(100, np.float32)
    room[10] = 1
    np.testing.assert_allclose(effects.place_in_room(sound, room), sound, atol=1e-6)


def test_masks_leave_the_given_patches_alone_and_all_values_finite() -> None:
    patches = torch.from_numpy(np.random.default_rng(0).standard_normal((8, 96, 64)).astype(np.float32))
    before = patches.clone()
    masked = mask_and_shift(patches, FitSettings(), np.random.default_rng(1))
    assert (patches == before).all()
    assert (masked != before).any()
    assert torch.isfinite(masked).all()


def test_patches_stay_as_they_are_when_every_switch_is_off() -> None:
    patches = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 96, 64)).astype(np.float32))
    settings = FitSettings(masks=0, shift_frames=0)
    assert (mask_and_shift(patches, settings, np.random.default_rng(1)) == patches).all()


def _rows(start: int, count: int) -> Rows:
    patches = np.arange(start, start + count, dtype=np.float16)[:, None, None] * np.ones((1, 96, 64), np.float16)
    empty = np.zeros((count, 6), np.bool_)
    return Rows(patches, empty, empty, np.zeros((count, 0), np.float16))


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    cache = Cache.open(tmp_path_factory.mktemp("shards"), LABELS.names, {})
    for number in range(12):
        cache.write(number, _rows(number * 10, 10))
    return cache


def test_a_pass_holds_every_window_once_in_another_order_each_time(shards: Cache) -> None:
    batches = shards.batches(10, seed=1)
    passes = [[int(row[0, 0]) for _ in range(12) for row in next(batches).patches] for _ in range(2)]
    assert sorted(passes[0]) == sorted(passes[1]) == list(range(120))
    assert passes[0] != passes[1]


@settings_of_tests(max_examples=20)
@given(skip=st.integers(0, 40))
def test_skipping_gives_the_batches_that_would_have_come(shards: Cache, skip: int) -> None:
    whole = shards.batches(7, seed=5)
    for _ in range(skip):
        next(whole)
    later = shards.batches(7, seed=5, skip=skip)
    for _ in range(3):
        assert (next(whole).patches == next(later).patches).all()


def test_processes_share_the_shards_without_overlap(shards: Cache) -> None:
    seen = []
    for rank in range(3):
        batches = shards.batches(10, seed=1, rank=rank, world=3)
        seen.append({int(row[0, 0]) for _ in range(4) for row in next(batches).patches})
    assert set().union(*seen) == set(range(120))
    assert sum(len(part) for part in seen) == 120


def test_a_cache_of_another_front_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Cache.open(tmp_path, LABELS.names, {})
    monkeypatch.setattr(cache_module, "parameters", lambda: {"mel_bands": 128})
    with pytest.raises(ConfigError, match="was made with another front end: delete it"):
        Cache.open(tmp_path, LABELS.names, {})


def test_a_cache_of_other_settings_or_labels_is_refused(tmp_path: Path) -> None:
    Cache.open(tmp_path, LABELS.names, {"seed": 1})
    with pytest.raises(ConfigError, match="other data"):
        Cache.open(tmp_path, LABELS.names, {"seed": 2})
    with pytest.raises(ConfigError, match="other labels"):
        Cache.open(tmp_path, LABELS.names[1:], {"seed": 1})


def test_processes_render_what_this_one_would_and_only_the_shards_that_are_missing(
    bank: Bank, tmp_path: Path, settings: Callable[..., Settings]
) -> None:
    render_settings = settings().render
    whole = Cache.open(tmp_path / "whole", LABELS.names, {})
    fill(whole, bank, render_settings, None, 2, 4096, lambda done, total: None)
    rng = np.random.default_rng([render_settings.seed, 0])
    made = [render(bank, render_settings, rng) for _ in range(64)]
    with threadpool_limits(1):
        patches = log_mel_windows(np.stack([window.samples[window.at :][:PATCH_SAMPLES] for window in made]))
    assert (whole.read(0).patches == patches.astype(np.float16)).all()
    seen: list[tuple[int, int]] = []
    fill(whole, bank, render_settings, None, 2, 4096, lambda done, total: seen.append((done, total)))
    assert seen == [(64, 64)]
    again = Cache.open(tmp_path / "again", LABELS.names, {})
    fill(again, bank, render_settings, None, 1, 4096, lambda done, total: None)
    assert (again.read(0).patches == whole.read(0).patches).all()


class _SlowListener:
    """Counts the shards that lie on disk as sound while it listens."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.most = 0

    def features(
        self, samples: NDArray[np.int16], at: NDArray[np.int64], patches: NDArray[np.float16]
    ) -> NDArray[np.float16]:
        time.sleep(0.3)  # in which two processes make more shards than they may
        self.most = max(self.most, len(list(self._folder.glob("sound-*.npz"))))
        return np.zeros((len(samples), 3), np.float16)


def test_processes_do_not_fill_the_disk_with_sound_that_nobody_has_heard(
    bank: Bank, tmp_path: Path, settings: Callable[..., Settings]
) -> None:
    cache = Cache.open(tmp_path, LABELS.names, {})
    listener = _SlowListener(tmp_path)
    fill(cache, bank, settings().render, listener, 2, 4, lambda done, total: None)  # 64 windows
    assert 2 <= listener.most <= 4
    assert cache.numbers() == list(range(16))
    assert not list(tmp_path.glob("sound-*"))


def _plain(seconds: float, silent: slice | None = None) -> tuple[Bank, np.ndarray]:
    sound = sound_of("Rain", 2, seconds)
    if silent:
        sound[silent] *= 0.001
    clip = Clip("Rain", Path(), "", ("Rain",), "Rain", "made")
    return make_bank([clip], [sound], [], LABELS, 0.7), sound


def test_a_plain_window_is_the_recording_as_it_is_with_its_patch_in_the_middle() -> None:
    bank, sound = _plain(6.0)
    places = plain_windows(bank)
    assert [entry for entry, _ in places] == [0, 0, 0]
    assert [at for _, at in places] == [0, 2 * 15360, 5 * 15360]
    for entry, at in places:
        window = plain(bank.entries[entry], len(LABELS), at)
        assert (window.at, len(window.samples)) == (16200, 48000)
        heard = window.samples[window.at :][:15600]
        np.testing.assert_allclose(heard[40:-40], sound[at:][:15600][40:-40])
        assert window.positive[LABELS.index("Rain")]
        assert not (window.positive & window.unsure).any()


def test_a_plain_window_much_quieter_than_its_recording_says_neither_yes_nor_no() -> None:
    bank, _ = _plain(3.0, slice(0, 16_000))
    window = plain(bank.entries[0], len(LABELS), 0)
    assert not window.positive.any()
    assert window.unsure[LABELS.index("Rain")]


@pytest.mark.parametrize("seconds", [0.1, 0.96, 1.0, 60.0])
def test_a_recording_of_any_length_gives_one_to_three_plain_windows(seconds: float) -> None:
    bank, _ = _plain(seconds)
    assert 1 <= len(plain_windows(bank)) <= 3
    assert all(np.isfinite(plain(bank.entries[0], len(LABELS), at).samples).all() for _, at in plain_windows(bank))


def _band(sound: np.ndarray, low: float, high: float) -> float:
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / 16000)
    return float(spectrum[(hertz >= low) & (hertz < high)].sum() / spectrum.sum())


def test_a_telephone_leaves_its_band_alone() -> None:
    noise = sound_of("Rain", 4)
    heard = effects.telephone(noise)
    assert heard.shape == noise.shape
    assert heard.dtype == np.float32
    assert _band(noise, 300, 3400) < 0.5
    assert _band(heard, 300, 3400) > 0.99
    kept = np.fft.irfft(np.where(_telephone_bins(len(noise)), np.fft.rfft(noise), 0), len(noise))
    assert np.corrcoef(heard, kept)[0, 1] > 0.99
    assert not effects.telephone(np.zeros(100, np.float32)).any()


def _telephone_bins(samples: int) -> np.ndarray:
    hertz = np.fft.rfftfreq(samples, 1 / 16000)
    return (hertz >= 300) & (hertz <= 3400)


@pytest.mark.parametrize("seed", range(6))
def test_a_codec_keeps_the_sound_its_length_its_level_and_its_place(seed: int) -> None:
    time = np.arange(48_000) / 16_000
    sweep = np.sin(2 * np.pi * (300 + 200 * time) * time).astype(np.float32) * (time > 1) * np.float32(0.2)
    heard = effects.code(sweep, np.random.default_rng(seed))
    assert heard.shape == sweep.shape
    assert heard.dtype == np.float32
    assert np.isfinite(heard).all()
    assert np.sqrt((heard**2).mean()) == pytest.approx(np.sqrt((sweep**2).mean()), rel=0.2)
    shifts = [np.corrcoef(np.roll(heard, shift), sweep)[0, 1] for shift in range(-40, 41)]
    assert abs(int(np.argmax(shifts)) - 40) <= 8  # half a millisecond
    assert not effects.code(np.zeros(100, np.float32), np.random.default_rng(seed)).any()


def test_a_cache_holds_recordings_as_they_are_where_that_is_asked_for(
    bank: Bank, tmp_path: Path, settings: Callable[..., Settings]
) -> None:
    for wanted in (False, True):
        cache = Cache.open(tmp_path / str(wanted), LABELS.names, {})
        render_settings = msgspec.structs.replace(settings().render, plain=wanted)
        fill(cache, bank, render_settings, None, 1, 4096, lambda done, total: None)
        assert cache.numbers() == ([0, PLAIN] if wanted else [0])
    rows = cache.read(PLAIN)
    assert len(rows) == len(plain_windows(bank)) == 8
    assert {LABELS.names[int(label)] for label in np.flatnonzero(rows.positive.any(axis=0))} == set(KINDS)
