import copy

import torch

from train.average import Average
from train.networks import make_network


def test_it_follows_quickly_at_first_and_keeps_counters_as_they_were() -> None:
    network = make_network("tagnet", 4)
    average = Average(network, decay=0.9)
    begun = copy.deepcopy(average.network.state_dict())
    with torch.no_grad():
        for value in network.state_dict().values():
            value.add_(1)
    average.update(network, 1)
    for name, value in average.network.state_dict().items():
        moved = 1.0 - 1 / 11 if value.is_floating_point() else 0.0
        torch.testing.assert_close(value, begun[name] + moved if moved else begun[name])
