"""Front ends of published taggers as layers, so that their graphs take sound: each from samples [n, s] to features.

Everything that happens to a frame before its spectrum (the mean taken off, pre-emphasis, the window) is linear, and so
part of the waves that it is multiplied with: one strided convolution makes the spectra.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from streamtag.graph_contract import Activation

__all__ = ["FRONT_ENDS", "CedFeatures", "FrontEndKind", "KaldiFeatures", "MelPower", "htk_mel", "kaldi_mel"]

Matrix = NDArray[np.float64]

_LEAST: Final = 1.1920928955078125e-07
"""Kaldi's, below which no energy is."""
_EMPHASIS: Final = 0.97


class MelPower(nn.Module):
    """Mel energies of frames: samples [n, s] to [n, frames, bands]."""

    def __init__(self, waves: NDArray[np.complex128], hop: int, mel: Matrix, *, exact: bool = False) -> None:
        """Prepare it.

        Args:
            waves: what a frame is multiplied with, [bins, samples].
            hop: samples from frame to frame.
            mel: weights of the bins in each band, [bins, bands].
            exact: in float64, for features in which a millionth of the loudest can be seen.
        """
        super().__init__()
        self.hop = hop
        used = np.flatnonzero(mel.any(axis=1))  # a bin that is in no band need not be computed
        parts = np.concatenate([waves[used].real, waves[used].imag])
        kind = torch.float64 if exact else torch.float32
        self.exact = exact
        self.register_buffer("waves", torch.tensor(parts[:, None], dtype=kind))
        self.register_buffer("mel", torch.tensor(mel[used], dtype=kind))
        self.register_buffer("cut", torch.eye(waves.shape[1])[:, None] if exact else torch.empty(0))
        self.waves: Tensor
        self.mel: Tensor
        self.cut: Tensor

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the energies."""
        if self.exact:  # convolutions in float64 are what ONNX Runtime has not
            frames = functional.conv1d(waveform[:, None], self.cut, stride=self.hop)
            spectrum = torch.matmul(self.waves[:, 0], frames.double())
        else:
            spectrum = functional.conv1d(waveform[:, None], self.waves, stride=self.hop)
        real, imaginary = spectrum.split(self.mel.shape[0], dim=1)
        return torch.matmul((real * real + imaginary * imaginary).transpose(1, 2), self.mel).float()


class KaldiFeatures(nn.Module):
    """Kaldi's log-mel energies (`compute-fbank-feats`, without dither): samples at 16 kHz to [n, frames, bands]."""

    def __init__(self, bands: int, low: float, high: float, *, window: str, snip_edges: bool) -> None:
        """Prepare frames of 25 ms every 10 ms.

        Args:
            bands: how many.
            low: the lowest frequency.
            high: the highest.
            window: "povey" or "hanning", both as Kaldi has them.
            snip_edges: whether frames lie within the sound; else it is mirrored at both ends.
        """
        super().__init__()
        size, fft, rate = 400, 512, 16000
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / (size - 1))
        steps = np.eye(size) - 1 / size  # takes off the mean
        before = np.maximum(np.arange(size) - 1, 0)
        steps = steps - _EMPHASIS * steps[before]
        steps = (hann**0.85 if window == "povey" else hann)[:, None] * steps
        self.energies = MelPower(_fourier(fft, size) @ steps, 160, kaldi_mel(bands, rate, fft, low, high))
        self.snip_edges = snip_edges

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the features."""
        if not self.snip_edges:
            waveform = torch.cat([waveform[:, :120].flip(1), waveform, waveform[:, -200:].flip(1)], dim=1)
        energies: Tensor = self.energies(waveform)
        return energies.clamp(min=_LEAST).log()


class AstFeatures(nn.Module):
    """What the Audio Spectrogram Transformer takes: Kaldi's 128 bands, 1024 frames, scaled: [n, 1024, 128]."""

    def __init__(self, frames: int = 1024) -> None:
        super().__init__()
        self.kaldi = KaldiFeatures(128, 20.0, 8000.0, window="hanning", snip_edges=True)
        self.frames = frames

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the features; frames that the sound does not fill are 0 before they are scaled."""
        features = self.kaldi(waveform)
        features = functional.pad(features, (0, 0, 0, self.frames))[:, : self.frames]
        return (features + 4.2677393) / (2 * 4.5689974)


class ZipformerFeatures(nn.Module):
    """What sherpa-onnx's zipformer taggers take: Kaldi's 80 bands [n, frames, 80] and how many frames, int64 [n]."""

    def __init__(self) -> None:
        super().__init__()
        self.kaldi = KaldiFeatures(80, 20.0, 7600.0, window="povey", snip_edges=False)

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features and their lengths."""
        features = self.kaldi(waveform)
        return features, torch.full_like(features[:, 0, 0], features.shape[1]).long()


class CedFeatures(nn.Module):
    """What CED takes: 64 HTK bands in decibels, at most 120 below each window's loudest: [n, 64, frames]."""

    def __init__(self) -> None:
        super().__init__()
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
        self.energies = MelPower(_fourier(512, 512) * hann, 160, htk_mel(64, 16000, 512, 0.0, 8000.0), exact=True)

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the features."""
        decibels = 10 * self.energies(waveform).clamp(min=1e-10).log10().transpose(1, 2)
        return torch.maximum(decibels, decibels.amax(dim=(1, 2), keepdim=True) - 120.0)


class EfficientAtFeatures(nn.Module):
    """What EfficientAT takes, of samples at 32 kHz: [n, 1, 128, frames]."""

    def __init__(self) -> None:
        super().__init__()
        size, fft = 800, 1024
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / (size - 1))
        self.energies = MelPower(_fourier(fft, size) * hann, 320, kaldi_mel(128, 32000, fft, 0.0, 15000.0))

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the features."""
        emphasised = waveform[:, 1:] - _EMPHASIS * waveform[:, :-1]
        around = functional.pad(emphasised[:, None], (400, 400), mode="reflect")[:, 0]
        energies: Tensor = self.energies(around)
        return (((energies + 1e-5).log() + 4.5) / 5.0).transpose(1, 2)[:, None]


class FrontEndKind(NamedTuple):
    """A front end, and what its taggers are like.

    Attributes:
        make: makes the layers.
        rate: samples a second.
        seconds: of the window that they were trained on.
        bands: how many.
        axes: of the features: "b" batch, "c" one channel, "f" bands, "t" frames.
        activation: what makes probabilities of the taggers' scores.
        frames: how many they always take; None where that is free.
    """

    make: Callable[[], nn.Module]
    rate: int
    seconds: float
    bands: int
    axes: str
    activation: Activation
    frames: int | None = None


FRONT_ENDS: Final = {
    "ced": FrontEndKind(CedFeatures, 16000, 10.0, 64, "bft", "none"),
    "ast": FrontEndKind(AstFeatures, 16000, 10.24, 128, "btf", "sigmoid", 1024),
    "kaldi80": FrontEndKind(ZipformerFeatures, 16000, 10.0, 80, "btf", "none"),
    "efficientat": FrontEndKind(EfficientAtFeatures, 32000, 10.0, 128, "bcft", "sigmoid"),
}


def kaldi_mel(bands: int, rate: int, fft: int, low: float, high: float) -> Matrix:
    """Return Kaldi's mel bands, [fft / 2 + 1, bands]: triangles that are straight in mel; the last bin has weight 0."""
    edges = np.linspace(_mel(low), _mel(high), bands + 2)
    bins = _mel(np.arange(fft // 2) * rate / fft)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.pad(np.maximum(0.0, np.minimum(rising, falling)), ((0, 1), (0, 0)))


def htk_mel(bands: int, rate: int, fft: int, low: float, high: float) -> Matrix:
    """Return HTK's mel bands as torchaudio and librosa make them, [fft / 2 + 1, bands]: straight in hertz."""
    edges = 700.0 * np.expm1(np.linspace(_mel(low), _mel(high), bands + 2) / 1127.0)
    bins = np.linspace(0.0, rate / 2, fft // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling))


def _mel(hertz: Matrix | float) -> Matrix:
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz) / 700.0))


def _fourier(fft: int, size: int) -> NDArray[np.complex128]:
    """Return the waves of a transform of `fft` points on frames of `size` samples, complex [fft / 2 + 1, size]."""
    waves: NDArray[np.complex128] = np.exp(-2j * np.pi * np.outer(np.arange(fft // 2 + 1), np.arange(size)) / fft)
    return waves
