"""TagNet: the packaged model's network, drawn for int8 on a CPU with VNNI.

Measured through ONNX Runtime int8 on one thread, a regular 3 x 3 convolution that halves the resolution costs a fifth
of the time a multiply that depthwise convolutions at high resolution cost. So: three narrow regular convolutions that
halve the resolution, one residual, one more down to 6 x 4, and depthwise-separable residual blocks only there, where
nearly all of the work is 1 x 1. ReLU alone, since it folds into the convolution before it.

| stage | out |
|---|---|
| 3 x 3, stride 2 | 48 x 32 x 16 |
| 3 x 3, stride 2 | 24 x 16 x 32 |
| 3 x 3, stride 2 | 12 x 8 x 64 |
| residual 3 x 3 | 12 x 8 x 64 |
| 3 x 3, stride 2 | 6 x 4 x 256 |
| 4 residual separable blocks | 6 x 4 x 256 |
| separable, stride 2; residual separable | 3 x 2 x 512 |
| mean over time and frequency: the embedding | 512 |
"""

from torch import Tensor, nn

from train.networks.blocks import Classifier, conv

EMBEDDING = 512


class _Residual(nn.Module):
    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


def _separable(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    return conv(inputs, inputs, 3, stride, padding=1, groups=inputs), conv(inputs, outputs, 1)


def tagnet(labels: int, bottleneck: int = 0) -> Classifier:
    """Return TagNet; with 198 labels 0.99 M weights and 19.8 M multiplies."""
    body = nn.Sequential(
        conv(1, 16, 3, 2, padding=1),
        conv(16, 32, 3, 2, padding=1),
        conv(32, 64, 3, 2, padding=1),
        _Residual(conv(64, 64, 3, padding=1)),
        conv(64, 256, 3, 2, padding=1),
        *(_Residual(*_separable(256, 256)) for _ in range(4)),
        *_separable(256, EMBEDDING, 2),
        _Residual(*_separable(EMBEDDING, EMBEDDING)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return Classifier(body, EMBEDDING, labels, bottleneck, dropout=0.1)
