"""ResNet-50 as in Hershey et al. 2017, section 3.3.4: no stride in the first 7 x 7, average pooling of 6 x 4.

Blocks are He et al.'s (2016) bottlenecks; a stage's stride sits in its first block's 1 x 1 convolution, as there.
No further deviation.
"""

from torch import Tensor, nn

from train.networks.blocks import Classifier, conv

_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
_WIDEN = 4


class _Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * _WIDEN
        self.body = nn.Sequential(
            conv(inputs, width, 1, stride),
            conv(width, width, 3, padding=1),
            nn.Conv2d(width, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.relu(self.body(x) + self.shortcut(x))
        return out


def resnet50(labels: int, bottleneck: int = 0) -> Classifier:
    """Return ResNet-50; with 3087 labels the paper has 30 M weights and 1.9 B multiplies."""
    layers: list[nn.Module] = [conv(1, 64, 7, padding=3), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for width, count, stride in _STAGES:
        for block in range(count):
            layers.append(_Bottleneck(inputs, width, stride if block == 0 else 1))
            inputs = width * _WIDEN
    layers += [nn.AvgPool2d((6, 4)), nn.Flatten()]
    return Classifier(nn.Sequential(*layers), inputs, labels, bottleneck)
