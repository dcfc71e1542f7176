"""What is exported: the network with its scores on top, and the front end as layers."""

import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from streamtag.audio.frontend import BANDS, FFT, FRAMES, HOP, LOG_OFFSET, PATCH_SAMPLES, WINDOW, hann, mel_weights
from train.networks.blocks import laid_out


class Scores(nn.Module):
    """Patches float32 [n, 1, 96, 64] to calibrated scores [n, labels] and embedding [n, d]."""

    def __init__(self, network: nn.Module, scale: float = 1.0, bias: float = 0.0, *, softmax: bool = False) -> None:
        """Wrap a network; `scale` and `bias` turn its logits into even odds at 0 and go into its last layer."""
        super().__init__()
        self.activation: nn.Module = nn.Softmax(dim=1) if softmax else nn.Sigmoid()
        self.network = laid_out(copy.deepcopy(network).eval(), torch.contiguous_format)
        head = self.network.head
        assert isinstance(head, nn.Linear)
        with torch.no_grad():
            head.weight.mul_(scale)
            head.bias.mul_(scale).add_(bias)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores and embedding."""
        logits, embedding = self.network(patches)
        return self.activation(logits), embedding


class HalfBody(nn.Module):
    """The same with the network in float16 and float32 at both ends."""

    def __init__(self, scores: Scores) -> None:
        super().__init__()
        self.network = copy.deepcopy(scores.network).half()
        self.activation = scores.activation

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores and embedding, float32."""
        logits, embedding = self.network(patches.half())
        return self.activation(logits.float()), embedding.float()


class LogMel(nn.Module):
    """The front end as one strided convolution and one product: windows [n, 15600] to patches [n, 1, 96, 64].

    The convolution's kernels are the windowed cosines and sines of the discrete Fourier transform.
    """

    def __init__(self) -> None:
        super().__init__()
        angle = 2 * np.pi * np.outer(np.arange(FFT // 2 + 1), np.arange(WINDOW)) / FFT
        waves = np.concatenate([np.cos(angle), -np.sin(angle)]) * hann()
        self.register_buffer("waves", torch.tensor(waves[:, None], dtype=torch.float32))
        self.register_buffer("mel", torch.tensor(mel_weights(), dtype=torch.float32))
        self.waves: Tensor
        self.mel: Tensor

    def forward(self, waveform: Tensor) -> Tensor:
        """Return log-mel patches."""
        spectrum = functional.conv1d(waveform.view(-1, 1, PATCH_SAMPLES), self.waves, stride=HOP)
        real, imaginary = spectrum.split(FFT // 2 + 1, dim=1)
        magnitude = torch.sqrt(real * real + imaginary * imaginary)
        mel = torch.matmul(magnitude.transpose(1, 2), self.mel)
        return torch.log(mel + LOG_OFFSET).view(-1, 1, FRAMES, BANDS)


class Samples(nn.Module):
    """16-bit samples to float32 in [-1, 1].

    TensorRT has no 16-bit input: two samples travel in each int32, the earlier one in the lower half, as they lie in
    the memory of a little-endian machine. Only division and floor take them apart, whichever way division rounds.
    """

    def forward(self, pairs: Tensor) -> Tensor:
        """Return samples float32 [n, 2 m] of int32 [n, m]."""
        quotient = torch.div(pairs, 65536, rounding_mode="trunc")
        rest = (pairs - quotient * 65536).float()
        earlier = rest - 65536.0 * torch.floor((rest + 32768.0) / 65536.0)
        later = quotient.float() + torch.floor(rest / 65536.0)
        return torch.stack((earlier, later), dim=2).flatten(1) / 32768.0


class FromWaveform(nn.Module):
    """Windows of samples, float32 or pairs of 16 bits, to scores and embedding."""

    def __init__(self, body: nn.Module, *, int16: bool = False) -> None:
        super().__init__()
        self.samples = Samples() if int16 else nn.Identity()
        self.log_mel = LogMel()
        self.body = body

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores and embedding."""
        scores, embedding = self.body(self.log_mel(self.samples(waveform)))
        return scores, embedding
