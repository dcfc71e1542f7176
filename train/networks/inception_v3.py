"""Inception V3 as in Hershey et al. 2017, section 3.3.3.

The first four layers of the stem, up to and with the first max-pooling, and the auxiliary head are removed; the last
average pooling is 10 x 6. Blocks and widths are Szegedy et al.'s (2016) as published in TensorFlow's models. The
remaining stem (1 x 1 to 80, 3 x 3 to 192, max-pooling) keeps its "valid" paddings: 10 x 6 comes out at the end, as the
paper says.
"""

import torch
from torch import Tensor, nn

from train.networks.blocks import Classifier, conv


class _Branches(nn.Module):
    """Several paths over one input, their outputs one after the other along channels."""

    def __init__(self, *paths: nn.Module) -> None:
        super().__init__()
        self.paths = nn.ModuleList(paths)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([path(x) for path in self.paths], dim=1)


def _average() -> nn.Module:
    return nn.AvgPool2d(3, 1, 1, count_include_pad=False)


def _block_a(inputs: int, pooled: int) -> nn.Module:
    return _Branches(
        conv(inputs, 64, 1),
        nn.Sequential(conv(inputs, 48, 1), conv(48, 64, 5, padding=2)),
        nn.Sequential(conv(inputs, 64, 1), conv(64, 96, 3, padding=1), conv(96, 96, 3, padding=1)),
        nn.Sequential(_average(), conv(inputs, pooled, 1)),
    )


def _reduce_a(inputs: int) -> nn.Module:
    return _Branches(
        conv(inputs, 384, 3, 2),
        nn.Sequential(conv(inputs, 64, 1), conv(64, 96, 3, padding=1), conv(96, 96, 3, 2)),
        nn.MaxPool2d(3, 2),
    )


def _long(inputs: int, outputs: int) -> nn.Module:
    return conv(inputs, outputs, (7, 1), padding=(3, 0))


def _wide(inputs: int, outputs: int) -> nn.Module:
    return conv(inputs, outputs, (1, 7), padding=(0, 3))


def _block_b(inputs: int, width: int) -> nn.Module:
    return _Branches(
        conv(inputs, 192, 1),
        nn.Sequential(conv(inputs, width, 1), _wide(width, width), _long(width, 192)),
        nn.Sequential(
            conv(inputs, width, 1), _long(width, width), _wide(width, width), _long(width, width), _wide(width, 192)
        ),
        nn.Sequential(_average(), conv(inputs, 192, 1)),
    )


def _reduce_b(inputs: int) -> nn.Module:
    return _Branches(
        nn.Sequential(conv(inputs, 192, 1), conv(192, 320, 3, 2)),
        nn.Sequential(conv(inputs, 192, 1), _wide(192, 192), _long(192, 192), conv(192, 192, 3, 2)),
        nn.MaxPool2d(3, 2),
    )


def _fork() -> nn.Module:
    return _Branches(conv(384, 384, (1, 3), padding=(0, 1)), conv(384, 384, (3, 1), padding=(1, 0)))


def _block_c(inputs: int) -> nn.Module:
    return _Branches(
        conv(inputs, 320, 1),
        nn.Sequential(conv(inputs, 384, 1), _fork()),
        nn.Sequential(conv(inputs, 448, 1), conv(448, 384, 3, padding=1), _fork()),
        nn.Sequential(_average(), conv(inputs, 192, 1)),
    )


def inception_v3(labels: int, bottleneck: int = 0) -> Classifier:
    """Return Inception V3; with 3087 labels the paper has 28 M weights and 4.7 B multiplies."""
    body = nn.Sequential(
        conv(1, 80, 1),
        conv(80, 192, 3),
        nn.MaxPool2d(3, 2),
        _block_a(192, 32),
        _block_a(256, 64),
        _block_a(288, 64),
        _reduce_a(288),
        *(_block_b(768, width) for width in (128, 160, 160, 192)),
        _reduce_b(768),
        _block_c(1280),
        _block_c(2048),
        nn.AvgPool2d((10, 6)),
        nn.Flatten(),
    )
    return Classifier(body, 2048, labels, bottleneck)
