"""The networks: one file each, all from patches [n, 1, 96, 64] to (logits [n, labels], embedding [n, d])."""

from collections.abc import Callable

from torch import nn

from streamtag.errors import ConfigError
from train.networks.tagnet import TagNet

NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "tagnet": TagNet,
}


def make_network(name: str, labels: int) -> nn.Module:
    """Return a fresh network by name.

    Raises:
        ConfigError: there is no network of that name.
    """
    if name not in NETWORKS:
        raise ConfigError(f"network {name!r}: unknown; there are {', '.join(NETWORKS)}")
    return NETWORKS[name](labels)
