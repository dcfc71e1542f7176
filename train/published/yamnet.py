"""The published `yamnet.tflite` as a PyTorch network: its 8-bit weights, dequantised."""

from pathlib import Path

import torch
from torch import nn

from streamtag.errors import BundleError, ConfigError
from streamtag.foreign.label_files import read_labels
from streamtag.foreign.yamnet_bundle import CLASS_MAP
from streamtag.foreign.yamnet_file import read_yamnet_tables
from train.networks.yamnet import YamNet


def read_yamnet(path: Path) -> YamNet:
    """Return YAMNet with the weights of its published file.

    Raises:
        ConfigError: there is no such file, or it is not YAMNet.
    """
    try:
        tables = read_yamnet_tables(path)
    except BundleError as error:
        raise ConfigError(f"YAMNet {error}") from None
    network = YamNet()
    modules = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    with torch.no_grad():
        for module, layer in zip(modules, [*tables.convolutions, tables.last], strict=True):
            module.weight.copy_(torch.from_numpy(layer.real_weight))
            assert module.bias is not None
            module.bias.copy_(torch.from_numpy(layer.real_bias))
    return network.eval()


def yamnet_labels(model: Path) -> list[str]:
    """Return YAMNet's label names in order, from `yamnet_class_map.csv` beside the model.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
    """
    return read_labels(model.with_name(CLASS_MAP)).names
