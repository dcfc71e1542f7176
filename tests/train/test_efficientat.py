import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from streamtag.errors import ConfigError
from tests.train.conftest import KINDS, shared_models, sound_of
from train.networks import make_network
from train.networks.mobilenet_v3 import BANDS
from train.published.efficientat import LogMel, Mn04, begin_with, doubled, map_of_bands, mel_weights, read_mn04


def test_mn04_reads_its_own_weights_and_scores_as_the_network_that_wrote_them(mn04_file: tuple[Path, Mn04]) -> None:
    path, written = mn04_file
    sound = torch.from_numpy(np.stack([sound_of(kind, 3) for kind in KINDS]))
    with torch.no_grad():
        found, expected = read_mn04(path)(sound), written(sound)
    assert found.features.shape == (4, 384)
    assert found.hidden.shape == (4, 512)
    assert found.logits.shape == (4, 527)
    assert torch.equal(found.logits, expected.logits)


def _refused(path: Path) -> str:
    with pytest.raises(ConfigError) as error:
        read_mn04(path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"weights {path}: ")
    return str(error.value)


@pytest.mark.parametrize("kept", [0, 5, 100, 0.5, 0.999])
def test_weights_cut_short_anywhere_are_one_line(mn04_file: tuple[Path, Mn04], tmp_path: Path, kept: float) -> None:
    content = mn04_file[0].read_bytes()
    path = tmp_path / "mn04.safetensors"
    path.write_bytes(content[: int(kept if kept >= 1 else kept * len(content))])
    assert "not a whole safetensors file" in _refused(path)


def test_a_pickle_is_not_even_opened(tmp_path: Path) -> None:
    path = tmp_path / "mn04.safetensors"
    for content in (pickle.dumps({"features.0.0.weight": 1}), b"PK\x03\x04" + bytes(100)):
        path.write_bytes(content)
        assert "no other kind is read" in _refused(path)
    torch.save({"a": torch.zeros(3)}, path)
    assert "no other kind is read" in _refused(path)


def test_weights_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    assert "No such file" in _refused(tmp_path / "absent.safetensors")
    assert "Is a directory" in _refused(tmp_path)


def test_weights_of_another_width_say_what_is_wanted(tmp_path: Path, mn04_names: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "mn10.safetensors"
    wider = {name: torch.cat([value, value]) if value.dim() else value for name, value in mn04_names.items()}
    save_file(wider, path)
    assert "of another width?" in _refused(path)


def test_weights_of_another_network_and_weights_with_a_gap_are_one_line(
    tmp_path: Path, mn04_names: dict[str, torch.Tensor]
) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"conv1.weight": torch.zeros(3)}, path)
    assert "conv1.weight is not in mn04" in _refused(path)
    save_file({name: value for name, value in mn04_names.items() if name != "classifier.5.bias"}, path)
    assert "head.bias is missing" in _refused(path)
    save_file({}, path)
    assert "missing" in _refused(path)


@pytest.mark.parametrize("folder", shared_models("efficientat/reference.npz"))
def test_mn04_hears_what_its_authors_own_code_hears(folder: Path | None, mn04_file: tuple[Path, Mn04]) -> None:
    if folder is None:  # without the published file the made one is read, and its shapes are what can be told
        with torch.no_grad():
            assert mn04_file[1].log_mel(torch.zeros(1, 128_000)).shape == (1, 1, 128, 400)
        return
    reference = np.load(folder / "reference.npz")
    sound = torch.from_numpy(reference["waveform"])[None]
    network = read_mn04(folder / "mn04_as.safetensors")
    with torch.no_grad():
        found = network(sound)
        np.testing.assert_allclose(network.log_mel(sound)[0, 0].numpy(), reference["log_mel"], atol=1e-4)
    np.testing.assert_allclose(found.features[0].numpy(), reference["embedding"], atol=1e-4)
    np.testing.assert_allclose(found.hidden[0].numpy(), reference["hidden"], atol=1e-4)
    np.testing.assert_allclose(found.logits[0].numpy(), reference["logits"], atol=1e-3)


def test_the_mel_bands_rise_and_fall_from_0_to_15_khz() -> None:
    weights = mel_weights()
    assert weights.shape == (128, 513)
    assert (weights >= 0).all()
    assert not weights[:, -1].any()
    assert not weights[:, 481:].any()  # 15 kHz are bin 480
    peaks = weights[10:].argmax(axis=1)
    assert (np.diff(peaks) >= 0).all()


@pytest.mark.parametrize("hertz", [50, 440, 3000, 7000])
def test_doubled_sound_is_the_same_tone_at_twice_the_rate(hertz: int) -> None:
    def tone(rate: int) -> np.ndarray:
        return np.sin(2 * np.pi * hertz * np.arange(rate) / rate + 0.3).astype(np.float32)

    found = doubled(torch.from_numpy(tone(16000))[None]).numpy()[0]
    assert found.shape == (32000,)
    np.testing.assert_allclose(found[200:-200], tone(32000)[200:-200], atol=0.01)


def test_the_map_of_bands_explains_what_mn04_would_have_heard() -> None:
    from streamtag.audio.frontend import log_mel_windows

    rng = np.random.default_rng(0)
    windows = np.stack([sound_of(KINDS[row % 4], row)[:15600] * 10 ** rng.uniform(-2, 0) for row in range(24)])
    windows = (windows + 1e-3 * rng.standard_normal(windows.shape)).astype(np.float32)
    patches = log_mel_windows(windows)
    weight, offset = map_of_bands(patches, windows, BANDS)
    assert (weight.shape, offset.shape) == ((BANDS, 64), (BANDS,))
    found = patches @ weight.T + offset
    with torch.no_grad():
        wanted = LogMel()(doubled(torch.from_numpy(windows)))[:, 0, :BANDS, 1:97].transpose(1, 2).numpy()
    unexplained = ((found - wanted) ** 2).mean(axis=(0, 1)) / wanted.var(axis=(0, 1))
    assert np.median(unexplained) < 0.1


def test_a_network_that_begins_with_mn04_has_its_convolutions_and_hidden_layer(mn04_file: tuple[Path, Mn04]) -> None:
    published = mn04_file[1]
    network = make_network("mobilenet_v3", 7)
    weight, offset = np.full((BANDS, 64), 0.5, np.float32), np.arange(BANDS, dtype=np.float32)
    begin_with(network, published, (weight, offset))
    assert isinstance(network.body, nn.Sequential)
    mapped = network.body[0](torch.ones(1, 1, 96, 64))
    torch.testing.assert_close(mapped[0, 0, :, 5], 32 + torch.arange(BANDS, dtype=torch.float32))
    assert isinstance(network.body[4], nn.Linear)
    assert torch.equal(network.body[4].weight, published.hidden.weight)
    theirs, ours = published.body.state_dict(), network.body[1].state_dict()
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
