"""AlexNet as in Hershey et al. 2017, section 3.3.1: first stride 2 x 1, batch normalisation for its LRN layers.

Filters and layers are Krizhevsky et al.'s (2012), on one machine and so without their two groups. The paper gives
neither paddings nor the size of the last pooling; these meet its counts: the first convolution unpadded (43 x 54),
two 3 x 3 max-poolings of stride 2 (21 x 26, 10 x 12), padded convolutions between, and a last max-pooling of 5 x 6
to 2 x 2, so that the first fully connected layer has 1024 inputs. Stride 2 runs along time. Dropout as in AlexNet.
"""

from torch import nn

from train.networks.blocks import Classifier, conv


def alexnet(labels: int, bottleneck: int = 0) -> Classifier:
    """Return AlexNet; with 3087 labels the paper has 37.3 M weights and 767 M multiplies."""
    body = nn.Sequential(
        conv(1, 96, 11, (2, 1)),
        nn.MaxPool2d(3, 2),
        conv(96, 256, 5, padding=2),
        nn.MaxPool2d(3, 2),
        conv(256, 384, 3, padding=1),
        conv(384, 384, 3, padding=1),
        conv(384, 256, 3, padding=1),
        nn.MaxPool2d((5, 6)),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(256 * 2 * 2, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
    )
    return Classifier(body, 4096, labels, bottleneck)
