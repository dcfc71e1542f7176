"""The front ends on real sound, beside those of Kaldi (kaldi-native-fbank) and librosa."""

from collections.abc import Callable
from pathlib import Path

import kaldi_native_fbank
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.contenders import demo_windows
from tests.train.conftest import shared_models
from train.front_ends import FRONT_ENDS, CedFeatures, KaldiFeatures

Sound = NDArray[np.float32]
REFERENCE = Path(__file__).with_name("ced_reference.npz")
"""`sound`, float32 [16000], of the demo's recording, and what librosa 0.11 makes of it:

    mel = librosa.feature.melspectrogram(y=sound, sr=16000, n_fft=512, hop_length=160, center=False, power=2.0,
                                         n_mels=64, fmin=0, fmax=8000, htk=True, norm=None)
    decibels = librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=120.0)
"""


@pytest.fixture(scope="module")
def sound() -> Sound:
    """Ten seconds of the demo's recording."""
    return np.concatenate([window[:15360] for window in demo_windows(11)])[:160_000]


def kaldi(sound: Sound, bands: int, high: float, window: str, *, snip_edges: bool) -> Sound:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither, options.frame_opts.samp_freq = 0, 16000
    options.frame_opts.window_type, options.frame_opts.snip_edges = window, snip_edges
    options.mel_opts.num_bins, options.mel_opts.high_freq, options.use_energy = bands, high, False
    features = kaldi_native_fbank.OnlineFbank(options)
    features.accept_waveform(16000, sound.tolist())
    features.input_finished()
    return np.stack([features.get_frame(frame) for frame in range(features.num_frames_ready)])


def test_zipformers_features_are_kaldis(sound: Sound) -> None:
    expected = kaldi(sound, 80, -400, "povey", snip_edges=False)
    features, lengths = FRONT_ENDS["kaldi80"].make()(torch.from_numpy(sound)[None])
    assert lengths.tolist() == [1000]
    np.testing.assert_allclose(features[0].numpy(), expected, atol=1e-3)


def test_features_with_asts_window_are_kaldis(sound: Sound) -> None:
    expected = kaldi(sound, 64, 0, "hanning", snip_edges=True)  # it refuses 128 bands, of which some are empty
    features = KaldiFeatures(64, 20.0, 8000.0, window="hanning", snip_edges=True)(torch.from_numpy(sound)[None])
    np.testing.assert_allclose(features[0].numpy(), expected, atol=1e-3)


def test_ast_gets_1024_scaled_frames_and_zeros_where_the_sound_is_over(sound: Sound) -> None:
    features = FRONT_ENDS["ast"].make()(torch.from_numpy(sound)[None])
    assert features.shape == (1, 1024, 128)
    assert features[0, 998:].numpy() == pytest.approx(4.2677393 / (2 * 4.5689974))
    bands = KaldiFeatures(128, 20.0, 8000.0, window="hanning", snip_edges=True)(torch.from_numpy(sound)[None])
    np.testing.assert_allclose(features[0, :998] * 2 * 4.5689974 - 4.2677393, bands[0], atol=1e-4)


def test_ceds_features_are_librosas() -> None:
    reference = np.load(REFERENCE)
    features = CedFeatures()(torch.from_numpy(reference["sound"])[None])[0].numpy()
    np.testing.assert_allclose(features, reference["decibels"], atol=1e-3)


def test_what_ced_hears_is_at_most_120_decibels_below_each_windows_own_loudest(sound: Sound) -> None:
    loud, silent = torch.from_numpy(sound[:16000]), torch.zeros(16000)
    alone = CedFeatures()(silent[None])
    assert torch.equal(CedFeatures()(torch.stack([loud, silent]))[1:], alone)


@pytest.mark.parametrize("folder", shared_models("efficientat/reference.npz"))
def test_efficientats_features_are_its_authors(folder: Path | None, sound: Sound) -> None:
    make: Callable[[], torch.nn.Module] = FRONT_ENDS["efficientat"].make
    if folder is None:
        assert make()(torch.from_numpy(sound)[None]).shape == (1, 1, 128, 500)
        return
    reference = np.load(folder / "reference.npz")
    features = make()(torch.from_numpy(reference["waveform"])[None])
    np.testing.assert_allclose(features[0, 0].numpy(), reference["log_mel"], atol=1e-3)
