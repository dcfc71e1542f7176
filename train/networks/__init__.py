"""The networks: one file each, all from patches [n, 1, 96, 64] to (logits [n, labels], embedding [n, d])."""

from collections.abc import Callable

from streamtag.errors import ConfigError
from train.networks.alexnet import alexnet
from train.networks.blocks import Classifier
from train.networks.fully_connected import fully_connected
from train.networks.inception_v3 import inception_v3
from train.networks.mobilenet_v3 import mobilenet_v3
from train.networks.resnet50 import resnet50
from train.networks.tagnet import tagnet
from train.networks.vgg import vgg

NETWORKS: dict[str, Callable[[int, int], Classifier]] = {
    "fully_connected": fully_connected,
    "alexnet": alexnet,
    "vgg": vgg,
    "inception_v3": inception_v3,
    "resnet50": resnet50,
    "mobilenet_v3": mobilenet_v3,
    "tagnet": tagnet,
}


def make_network(name: str, labels: int, bottleneck: int = 0) -> Classifier:
    """Return a fresh network by name, with a bottleneck of so many units before its last layer (0: none).

    Raises:
        ConfigError: there is no network of that name.
    """
    if name not in NETWORKS:
        raise ConfigError(f"network {name!r}: unknown; there are {', '.join(NETWORKS)}")
    return NETWORKS[name](labels, bottleneck)
