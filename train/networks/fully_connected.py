"""The paper's baseline (Hershey et al. 2017, section 3.3): three fully connected layers of 1000 units, ReLU.

No deviation. The paper trained it at a learning rate of 3e-5.
"""

from torch import nn

from train.networks.blocks import Classifier


def fully_connected(labels: int, bottleneck: int = 0) -> Classifier:
    """Return the fully connected network; 11.2 M weights and multiplies with 3087 labels."""
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs in (96 * 64, 1000, 1000):
        layers += [nn.Linear(inputs, 1000), nn.ReLU(inplace=True)]
    return Classifier(nn.Sequential(*layers), 1000, labels, bottleneck)
