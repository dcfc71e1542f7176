"""VGG, configuration E (19 layers), as in Hershey et al. 2017, section 3.3.2: batch normalisation, strides unchanged.

Layers are Simonyan and Zisserman's (2015). Five poolings take 96 x 64 to 3 x 2; the two hidden fully connected layers
keep their 4096 units and their dropout. No further deviation.
"""

from torch import nn

from train.networks.blocks import Classifier, conv

_STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))


def vgg(labels: int, bottleneck: int = 0) -> Classifier:
    """Return VGG E; with 3087 labels the paper has 62 M weights and 2.4 B multiplies."""
    layers: list[nn.Module] = []
    inputs = 1
    for outputs, count in _STAGES:
        for _ in range(count):
            layers.append(conv(inputs, outputs, 3, padding=1))
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    layers.append(nn.Flatten())
    for features in (512 * 3 * 2, 4096):
        layers += [nn.Linear(features, 4096), nn.ReLU(inplace=True), nn.Dropout(0.5)]
    return Classifier(nn.Sequential(*layers), 4096, labels, bottleneck)
