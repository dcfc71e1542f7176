from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from streamtag.audio.frontend import log_mel_windows
from streamtag.errors import ConfigError
from tests.train.conftest import KINDS, shared_models, sound_of
from train.ears import contexts
from train.networks.counts import multiplies, weights
from train.networks.yamnet import LOG_OFFSET, YamNet
from train.published.yamnet import read_yamnet, yamnet_labels
from train.yamnet import YamNet as LiteYamNet


def test_yamnets_network_has_the_published_counts() -> None:
    network = YamNet()
    assert weights(network) == pytest.approx(3.75e6, rel=0.02)
    assert multiplies(network) == pytest.approx(69.2e6, rel=0.02)


@pytest.mark.parametrize("read", [read_yamnet, LiteYamNet])
@pytest.mark.parametrize("content", [b"", b"no network at all", b"\x1c\0\0\0TFL3" + bytes(64), bytes(5000)])
def test_a_file_that_is_not_yamnet_is_one_line(read: Callable[[Path], object], content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "yamnet.tflite"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"yamnet\.tflite: it is not the published yamnet\.tflite") as error:
        read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("read", [read_yamnet, LiteYamNet, yamnet_labels])
def test_a_file_that_is_not_there_is_one_line(read: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?i)no such file") as error:
        read(tmp_path / "yamnet.tflite")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("folder", shared_models("yamnet/yamnet.tflite"))
def test_yamnet_in_torch_hears_what_litert_hears(folder: Path | None) -> None:
    windows = np.stack([sound_of(KINDS[row % 4], row)[:15600] * 10 ** -(row / 8) for row in range(16)])
    patches = torch.from_numpy(log_mel_windows(windows))[:, None]
    network = YamNet().eval() if folder is None else read_yamnet(folder / "yamnet.tflite")
    with torch.no_grad():
        logits, embedding = network((patches.exp() - 0.01).clamp(min=0).add(LOG_OFFSET).log())
    assert (logits.shape, embedding.shape) == ((16, 521), (16, 1024))
    if folder is not None:
        expected, scores = LiteYamNet(folder / "yamnet.tflite").run(windows)
        assert np.corrcoef(embedding.numpy().ravel(), expected.ravel())[0, 1] > 0.999
        assert np.corrcoef(torch.sigmoid(logits).numpy().ravel(), scores.ravel())[0, 1] > 0.99
        assert len(yamnet_labels(folder / "yamnet.tflite")) == 521


def test_three_seconds_around_each_patch_hold_the_patch_where_they_say() -> None:
    sound = np.linspace(0.1, 0.9, 40_000, dtype=np.float32)
    around, at = contexts(sound, 3)
    assert around.shape == (3, 48_000)
    assert around.dtype == np.int16
    for row, start in enumerate(at):
        patch = around[row, start : start + 15_600] / 32767
        there = sound[row * 15_360 :][:15_600]
        np.testing.assert_allclose(patch[50 : len(there) - 50], there[50:-50], atol=1e-3)
