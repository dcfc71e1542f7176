import pytest
import torch
from torch import nn

from streamtag.errors import ConfigError
from train.networks import NETWORKS, make_network
from train.networks.blocks import compete
from train.networks.counts import multiplies, weights
from train.networks.paper_table import as_text, table


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, float]]:
    return {row["network"]: row for row in table()}


@pytest.mark.parametrize("name", ["fully_connected", "alexnet", "vgg", "inception_v3", "resnet50"])
def test_a_papers_network_has_the_papers_weights(rows: dict[str, dict[str, float]], name: str) -> None:
    assert rows[name]["weights"] == pytest.approx(rows[name]["paper_weights"], rel=0.02)


@pytest.mark.parametrize("name", ["fully_connected", "alexnet", "vgg", "resnet50"])
def test_a_papers_network_has_the_papers_multiplies(rows: dict[str, dict[str, float]], name: str) -> None:
    assert rows[name]["multiplies"] == pytest.approx(rows[name]["paper_multiplies"], rel=0.03)


def test_the_default_network_stays_small() -> None:
    network = make_network("tagnet", 198)
    assert weights(network) < 2e6
    assert multiplies(network) < 20e6


def test_mobilenet_v3_costs_what_a_default_model_may_cost() -> None:
    network = make_network("mobilenet_v3", 224)
    assert weights(network) == pytest.approx(0.83e6, rel=0.01)
    assert multiplies(network) < 12e6
    assert isinstance(network.body, nn.Sequential)
    bands = network.body[0](torch.zeros(1, 1, 96, 64))
    assert bands.shape == (1, 1, 104, 96)
    assert network.body[1](bands).shape == (1, 384, 4, 3)


def test_the_table_shows_our_networks_without_a_paper_beside_them(rows: dict[str, dict[str, float]]) -> None:
    for name in ("mobilenet_v3", "tagnet"):
        assert rows[name]["paper_weights"] is rows[name]["paper_multiplies"] is None
        assert any(line.startswith(name) for line in as_text(list(rows.values())).splitlines())


@pytest.mark.parametrize("name", list(NETWORKS))
def test_every_network_gives_a_logit_a_label_and_a_bottlenecks_embedding(name: str) -> None:
    with torch.device("meta"):
        logits, embedding = make_network(name, 5, bottleneck=128).eval()(torch.zeros(2, 1, 96, 64))
    assert (logits.shape, embedding.shape) == ((2, 5), (2, 128))


def test_labels_that_compete_in_full_are_a_softmaxs_and_those_that_do_not_are_left_alone() -> None:
    logits = torch.randn(5, 7)
    torch.testing.assert_close(compete(logits, 1.0), torch.log_softmax(logits, dim=1))
    torch.testing.assert_close(compete(logits, 0.0), logits)


def test_competition_takes_from_each_label_what_the_others_say() -> None:
    network = make_network("tagnet", 5).eval()
    patches = torch.randn(2, 1, 96, 64)
    with torch.no_grad():
        alone = network(patches)[0]
        network.competition = 0.5
        torch.testing.assert_close(network(patches)[0], compete(alone, 0.5))


def test_an_unknown_network_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"'resnet': unknown; there are .*resnet50"):
        make_network("resnet", 5)
