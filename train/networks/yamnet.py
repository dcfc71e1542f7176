"""YAMNet's network: MobileNetV1 (Howard et al. 2017) on patches of 96 frames by 64 bands, as TensorFlow pads.

Its weights are read from the published file by `train.published.yamnet`.
"""

from torch import Tensor, nn
from torch.nn import functional

LABELS = 521
EMBEDDING = 1024
LOG_OFFSET = 0.001
"""Its front end is Streamtag's but for what is added before the logarithm."""

SEPARABLE = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
"""Width and stride of each depthwise-separable layer."""


class Padded(nn.Module):
    """A 3 x 3 convolution with ReLU6 and TensorFlow's padding: with stride 2 nothing is added above and to the left."""

    def __init__(self, inputs: int, outputs: int, stride: int, groups: int = 1) -> None:
        super().__init__()
        self.padding = (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1)
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolved and rectified x."""
        return functional.relu6(self.conv(functional.pad(x, self.padding)))


class Pointwise(nn.Module):
    """A 1 x 1 convolution with ReLU6."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolved and rectified x."""
        return functional.relu6(self.conv(x))


class YamNet(nn.Module):
    """Log-mel patches [n, 1, 96, 64] with YAMNet's own offset to logits [n, 521] and embedding [n, 1024]."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [Padded(1, 32, 2)]
        inputs = 32
        for outputs, stride in SEPARABLE:
            layers += [Padded(inputs, inputs, stride, groups=inputs), Pointwise(inputs, outputs)]
            inputs = outputs
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(EMBEDDING, LABELS)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and embedding."""
        embedding = self.body(patches).mean(dim=(2, 3))
        return self.head(embedding), embedding
