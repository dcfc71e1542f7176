"""MobileNetV3-Large at width 0.4 (Howard et al., "Searching for MobileNetV3", ICCV 2019), behind our own patches.

The body is that of EfficientAT's mn04 (Schmid, Koutini, Widmer, "Efficient Large-Scale Audio Tagging via
Transformer-to-CNN Knowledge Distillation", ICASSP 2023), so that its published weights are a place to begin
(`train.published.mn04`). It reads bands down and frames across, and more bands than a patch has: a first layer maps the
64 bands of each frame to `BANDS` of its own.

| stage | out (bands x frames) |
|---|---|
| linear map of each frame's bands | 1 x 104 x 96 |
| 3 x 3, stride 2, ReLU | 16 x 52 x 48 |
| 15 inverted residuals, of which 4 halve the resolution | 160 wide, 4 x 3 |
| 1 x 1, hard-swish, mean over bands and frames | 384 |
| fully connected, hard-swish: the embedding | 512 |
"""

from dataclasses import dataclass

from torch import Tensor, nn

from train.networks.blocks import Classifier

BANDS = 104
EMBEDDING = 512
_FEATURES = 384


@dataclass(frozen=True, slots=True)
class Stage:
    """An inverted residual: widths are MobileNetV3-Large's own, before the factor 0.4."""

    inputs: int
    kernel: int
    expanded: int
    outputs: int
    excite: bool
    swish: bool
    stride: int


STAGES = (
    Stage(16, 3, 16, 16, False, False, 1),
    Stage(16, 3, 64, 24, False, False, 2),
    Stage(24, 3, 72, 24, False, False, 1),
    Stage(24, 5, 72, 40, True, False, 2),
    Stage(40, 5, 120, 40, True, False, 1),
    Stage(40, 5, 120, 40, True, False, 1),
    Stage(40, 3, 240, 80, False, True, 2),
    Stage(80, 3, 200, 80, False, True, 1),
    Stage(80, 3, 184, 80, False, True, 1),
    Stage(80, 3, 184, 80, False, True, 1),
    Stage(80, 3, 480, 112, True, True, 1),
    Stage(112, 3, 672, 112, True, True, 1),
    Stage(112, 5, 672, 160, True, True, 2),
    Stage(160, 5, 960, 160, True, True, 1),
    Stage(160, 5, 960, 160, True, True, 1),
)
"""Table 1 of the paper, with the strides of mn04."""


def width(channels: float, factor: float = 0.4) -> int:
    """Return `factor` times the channels, to a multiple of 8 that is not more than a tenth below it."""
    wanted = channels * factor
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def _eighth(channels: float) -> int:
    return width(channels, 1.0)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _conv(inputs: int, outputs: int, kernel: int, stride: int, act: nn.Module | None, groups: int = 1) -> nn.Sequential:
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False), _norm(outputs)]
    return nn.Sequential(*layers, *([act] if act else []))


class Excite(nn.Module):
    """Squeeze and excite (Hu et al., CVPR 2018), with a sigmoid: each channel times what all channels' means say."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = _eighth(channels / 4)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return x scaled by channel."""
        scale: Tensor = self.fc2(self.fc1(self.pool(x)).relu()).sigmoid()
        return x * scale


class Inverted(nn.Module):
    """Expand, depthwise, excite, project; added to what came in where the shapes agree."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        inputs, expanded, outputs = width(stage.inputs), width(stage.expanded), width(stage.outputs)
        act: type[nn.Module] = nn.Hardswish if stage.swish else nn.ReLU
        layers: list[nn.Module] = []
        if expanded != inputs:
            layers.append(_conv(inputs, expanded, 1, 1, act()))
        layers.append(_conv(expanded, expanded, stage.kernel, stage.stride, act(), groups=expanded))
        if stage.excite:
            layers.append(Excite(expanded))
        layers.append(_conv(expanded, outputs, 1, 1, None))
        self.block = nn.Sequential(*layers)
        self.added = stage.stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return what comes out of the block."""
        out: Tensor = self.block(x)
        return x + out if self.added else out


class Bands(nn.Module):
    """The linear map of each frame's 64 bands to `bands` others: [n, 1, 96, 64] to [n, 1, bands, 96]."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.map = nn.Conv2d(1, bands, (1, 64))

    def forward(self, patches: Tensor) -> Tensor:
        """Return the mapped patches, bands down and frames across."""
        mapped: Tensor = self.map(patches)
        return mapped.permute(0, 3, 1, 2)  # no shape is computed in the exported graph


def body(first_act: type[nn.Module] = nn.Hardswish) -> nn.Sequential:
    """Return mn04's convolutions, from [n, 1, bands, frames] to [n, 384, bands / 32, frames / 32]."""
    first, last = width(STAGES[0].inputs), width(STAGES[-1].outputs)
    return nn.Sequential(
        _conv(1, first, 3, 2, first_act()),
        *(Inverted(stage) for stage in STAGES),
        _conv(last, _FEATURES, 1, 1, nn.Hardswish()),
    )


def mobilenet_v3(labels: int, bottleneck: int = 0, bands: int = BANDS) -> Classifier:
    """Return MobileNetV3; with 224 labels 0.83 M weights."""
    layers = nn.Sequential(
        Bands(bands),
        body(nn.ReLU),  # at its resolution a hard-swish would cost a twentieth of the whole
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(_FEATURES, EMBEDDING),
        nn.Hardswish(),
    )
    return Classifier(layers, EMBEDDING, labels, bottleneck, dropout=0.1)
