"""EfficientAT's mn04 (Schmid, Koutini, Widmer, ICASSP 2023; MIT): 527 AudioSet labels from log-mel at 32 kHz."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from streamtag.errors import ConfigError
from streamtag.foreign.label_files import read_labels
from train.front_ends import kaldi_mel
from train.networks.blocks import Classifier
from train.networks.mobilenet_v3 import Bands, Inverted, body

RATE = 32000
LABELS = 527
BANDS = 128
FEATURES = 384
HIDDEN = 512
_FFT, _WINDOW, _HOP = 1024, 800, 320


class LogMel(nn.Module):
    """The published front end: samples [n, s] at 32 kHz to [n, 1, 128, frames].

    Pre-emphasis, STFT of 1024 points with a symmetric Hann window of 800 and hop 320, power, 128 Kaldi mel bands from 0
    to 15 kHz, logarithm, scaled.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(_WINDOW, periodic=False))
        self.register_buffer("mel", torch.from_numpy(mel_weights()))
        self.window: Tensor
        self.mel: Tensor

    def forward(self, waveform: Tensor) -> Tensor:
        """Return scaled log-mel."""
        emphasised = waveform[:, 1:] - 0.97 * waveform[:, :-1]
        spectrum = torch.stft(
            emphasised, _FFT, _HOP, _WINDOW, self.window, center=True, pad_mode="reflect", return_complex=True
        )
        power = spectrum.real.square() + spectrum.imag.square()
        return ((torch.matmul(self.mel, power) + 1e-5).log()[:, None] + 4.5) / 5.0


def mel_weights() -> NDArray[np.float32]:
    """Return the mel bands' weights float32 [128, 513]: triangles on Kaldi's mel scale, computed at the bins' mel."""
    return kaldi_mel(BANDS, RATE, _FFT, 0.0, 15000.0).T.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Heard:
    """What mn04 makes of a sound: `features` [n, 384], `hidden` [n, 512], `logits` [n, 527]."""

    features: Tensor
    hidden: Tensor
    logits: Tensor


class Mn04(nn.Module):
    """The published network behind its front end: samples [n, s] at 32 kHz, one second or more."""

    def __init__(self) -> None:
        super().__init__()
        self.log_mel = LogMel()
        self.body = body()
        self.hidden = nn.Linear(FEATURES, HIDDEN)
        self.head = nn.Linear(HIDDEN, LABELS)

    def forward(self, waveform: Tensor) -> Heard:
        """Return features, hidden layer and logits."""
        return self.judge(self.log_mel(waveform))

    def judge(self, log_mel: Tensor) -> Heard:
        """Return the same of scaled log-mel [n, 1, 128, frames]."""
        features = self.body(log_mel).mean(dim=(2, 3))
        hidden = functional.hardswish(self.hidden(features))
        return Heard(features, hidden, self.head(hidden))


def read_mn04(path: Path) -> Mn04:
    """Return mn04 with the weights of a safetensors file; nothing else is read, so no file can run code.

    Raises:
        ConfigError: there is no such file, it is no safetensors file or cut short, or holds another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        weights = load(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"weights {path}: {error.strerror}: name mn04_as.safetensors") from None
    except (SafetensorError, ValueError) as error:
        raise ConfigError(f"weights {path}: not a whole safetensors file ({error}); no other kind is read") from None
    network = Mn04()
    names = {**_body_names(), "classifier.2": "hidden", "classifier.5": "head"}
    renamed = {}
    for name, value in weights.items():
        layer, _, kind = name.rpartition(".")
        if layer not in names:
            raise ConfigError(f"weights {path}: {name} is not in mn04: weights of that network are wanted")
        # Its squeeze-excite layers are fully connected, ours 1 x 1 convolutions: the same product.
        excite = kind == "weight" and layer.endswith((".fc1", ".fc2")) and value.dim() == 2
        renamed[f"{names[layer]}.{kind}"] = value[:, :, None, None] if excite else value
    there = {name: tensor for name, tensor in network.state_dict().items() if not _made(name)}
    for name, tensor in there.items():
        if name not in renamed or renamed[name].shape != tensor.shape:
            shape = tuple(renamed[name].shape) if name in renamed else "missing"
            raise ConfigError(f"weights {path}: {name} is {shape} and not {tuple(tensor.shape)}: of another width?")
    network.load_state_dict(renamed, strict=False)
    return network.eval()


def mn04_labels(weights: Path) -> list[str]:
    """Return mn04's label names in order, from `class_labels_indices.csv` beside its weights.

    Raises:
        ConfigError: there is no such file, or it is of another number of labels.
    """
    table = weights.with_name("class_labels_indices.csv")
    names = read_labels(table).names
    if len(names) != LABELS:
        raise ConfigError(f"{table}: has {len(names)} labels, mn04 has {LABELS}")
    return names


def _made(name: str) -> bool:
    return name.startswith("log_mel.") or name.endswith("num_batches_tracked")


def _body_names() -> dict[str, str]:
    """Return our name of each published layer of the body."""
    names: dict[str, str] = {}
    layers = list(body())
    for index, layer in enumerate(layers):
        if index in (0, len(layers) - 1):
            names |= {f"features.{index}.{at}": f"body.{index}.{at}" for at in (0, 1)}
            continue
        assert isinstance(layer, Inverted)
        for at, part in enumerate(layer.block):
            published, ours = f"features.{index}.block.{at}", f"body.{index}.block.{at}"
            if isinstance(part, nn.Sequential):
                names |= {f"{published}.{kind}": f"{ours}.{kind}" for kind in (0, 1)}
            else:
                names |= {f"{published}.conc_se_layers.0.{kind}": f"{ours}.{kind}" for kind in ("fc1", "fc2")}
    return names


def begin_with(network: Classifier, published: Mn04, bands: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    """Give a fresh `mobilenet_v3` mn04's weights, and its first layer the given map of bands.

    Args:
        network: changed in place; its last layer stays as it is.
        published: mn04.
        bands: weight float32 [bands, 64] and offset float32 [bands], as `map_of_bands` finds them.
    """
    assert isinstance(network.body, nn.Sequential)
    first, theirs, hidden = network.body[0], network.body[1], network.body[4]
    assert isinstance(first, Bands)
    with torch.no_grad():
        first.map.weight.copy_(torch.from_numpy(bands[0])[:, None, None, :])
        assert first.map.bias is not None
        first.map.bias.copy_(torch.from_numpy(bands[1]))
    theirs.load_state_dict(published.body.state_dict())
    hidden.load_state_dict(published.hidden.state_dict())


def map_of_bands(
    patches: NDArray[np.float32], windows: NDArray[np.float32], bands: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the linear map of a patch's 64 bands that comes closest to mn04's own lowest `bands` bands.

    A ridge regression over real windows. A frame of ours and mn04's frame one later have nearly the same centre.

    Args:
        patches: log-mel float32 [n, 96, 64].
        windows: the samples behind them, float32 [n, 15600] at 16 kHz.
        bands: how many of mn04's are wanted.

    Returns:
        Weight float32 [bands, 64] and offset float32 [bands].
    """
    with torch.no_grad():
        theirs = LogMel()(doubled(torch.from_numpy(windows)))[:, 0, :bands, 1:97].transpose(1, 2).reshape(-1, bands)
    ours = torch.from_numpy(patches).reshape(-1, patches.shape[2]).double()
    ours = torch.cat([ours, torch.ones(len(ours), 1, dtype=torch.float64)], dim=1)
    square = ours.T @ ours + 1e-6 * len(ours) * torch.eye(ours.shape[1], dtype=torch.float64)
    found = torch.linalg.solve(square, ours.T @ theirs.double()).T.float().numpy()
    return np.ascontiguousarray(found[:, :-1]), np.ascontiguousarray(found[:, -1])


def doubled(waveform: Tensor) -> Tensor:
    """Return sound [n, s] at 16 kHz as [n, 2 s] at 32 kHz, by a windowed sinc of 64 taps."""
    taps, block = 32, 64
    time = torch.arange(-taps, taps, dtype=torch.float32, device=waveform.device) + 0.5
    kernel = torch.sinc(time) * (0.5 + 0.5 * torch.cos(torch.pi * time / taps))
    # A block of samples at a time, as a product of matrices: a convolution of one channel takes nine times as long.
    spread = torch.stack([functional.pad(kernel, (at, block - 1 - at)) for at in range(block)], dim=1)
    samples = waveform.shape[1]
    padded = functional.pad(waveform, (taps - 1, taps + -samples % block))
    between = (padded.unfold(1, len(spread), block) @ spread).flatten(1)
    return torch.stack([waveform, between[:, :samples]], dim=2).flatten(1)
