"""A bundle's network trained on: reading its graph back, new labels, fitting its last layer."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
import torch

from streamtag.audio.frontend import parameters
from streamtag.bundle import Bundle
from streamtag.errors import BundleError
from streamtag.labels import labels_sha256
from tests.train.conftest import KINDS
from train.evaluate import evaluate
from train.export import graphs
from train.export.blocked import block
from train.export.description import bundle_entry
from train.export.export import export
from train.export.modules import Scores
from train.fit import fit
from train.from_bundle import freeze_statistics, network_of, with_labels
from train.labels import LabelTable
from train.last_layer import FITTED
from train.loop import trained_network
from train.networks import make_network
from train.settings import Settings

LABELS = ["Dog", "Rain", "Speech"]


@pytest.fixture(scope="module", params=["tagnet", "mobilenet_v3"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    import json

    folder = tmp_path_factory.mktemp("bundle")
    torch.manual_seed(1)
    network = make_network(request.param, 3).train()
    for _ in range(3):
        network(torch.randn(8, 1, 96, 64) * 2 - 1)
    graphs.write_graph(Scores(network), torch.zeros(2, 1, 96, 64), "patches", folder / "model.onnx")
    block(folder / "model.onnx")
    (folder / "labels.csv").write_text("index,name,mid\n" + "".join(f"{i},{n},\n" for i, n in enumerate(LABELS)))
    manifest = {
        "format": 1, "name": "made", "version": "1", "frontend": parameters(), "network": {"name": request.param},
        "labels": {"count": 3, "sha256": labels_sha256(LABELS)},
        "files": {"model.onnx": bundle_entry(folder / "model.onnx", "float32")},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Bundle.open(folder)


def test_a_bundles_network_scores_as_its_graph_does(bundle: Bundle) -> None:
    patches = np.random.default_rng(0).standard_normal((4, 1, 96, 64)).astype(np.float32)
    with torch.no_grad():
        found = torch.sigmoid(network_of(bundle)(torch.from_numpy(patches))[0]).numpy()
    np.testing.assert_allclose(found, graphs.run_graph(bundle.path / "model.onnx", patches), atol=1e-5)


def test_frozen_statistics_keep_the_networks_scores_while_it_trains(bundle: Bundle) -> None:
    network = network_of(bundle)
    patches = torch.randn(4, 1, 96, 64)
    with torch.no_grad():
        expected = network.eval().body(patches)
        network.train()
        freeze_statistics(network)
        torch.testing.assert_close(network.body(patches), expected)


def test_labels_that_both_have_keep_their_weights(bundle: Bundle) -> None:
    old = network_of(bundle)
    weights = old.head.weight.detach().clone()
    new = with_labels(old, LABELS, ["Cat", "Rain"])
    assert new.head.weight.shape == (2, 512)
    assert torch.equal(new.head.weight[1], weights[1])


def test_a_graph_that_does_not_fit_its_network_is_one_line(bundle: Bundle) -> None:
    own = bundle.manifest["network"]
    bundle.manifest["network"] = {"name": "fully_connected"}
    with pytest.raises(BundleError, match=r"bundle made: its graph has \d+ layers and fully_connected has 4"):
        network_of(bundle)
    bundle.manifest["network"] = own


def test_no_steps_leave_a_bundles_network_as_it_is_and_give_a_run_that_can_be_exported(
    bundle: Bundle, settings: Callable[..., Settings]
) -> None:
    run = settings(steps=0, network=bundle.manifest["network"]["name"])
    fit(run, bundle)
    names = LabelTable.of([*KINDS, "Silence"]).names
    network, step = trained_network(run, names)
    assert step == 0
    patches = torch.randn(2, 1, 96, 64)
    with torch.no_grad():
        torch.testing.assert_close(network.body(patches), network_of(bundle).eval().body(patches))
        assert network(patches)[0].shape == (2, len(names))


@pytest.mark.parametrize("said", [{"mn04": True}, {"settings": {"fit": {"weights": "mn04_as.safetensors"}}}, {}])
def test_the_card_says_which_bundle_a_model_went_on_from_and_keeps_its_notice(
    bundle: Bundle, settings: Callable[..., Settings], said: dict[str, object]
) -> None:
    run = settings(steps=0, network="resnet50")  # the bundle's is taken, and the file need not say it
    bundle.manifest["data"] = said
    fit(run, bundle)
    judged = evaluate(run, None, run.output / "evaluation", yamnet=False, pictures=False)
    assert set(judged["sets"]) == {"calibration", "fold"}
    plain = msgspec.structs.replace(run, render=msgspec.structs.replace(run.render, plain=True))
    card = (export(plain, run.output / "bundle", "1", tensorrt=False, windows=100).path / "card.md").read_text()
    assert "The last layer was fitted last" not in card  # none was kept
    assert "It went on from the bundle made 1. All but the last layer is as it was there." in card
    assert ("Copyright (c) 2022 Florian Schmid" in card) == bool(said)
    assert ("No published weights are in it." in card) != bool(said)


@pytest.mark.usefixtures("quick_last_layer")
def test_no_steps_and_plain_windows_fit_the_last_layer_alone(bundle: Bundle, settings: Callable[..., Settings]) -> None:
    run = settings(steps=0, network=bundle.manifest["network"]["name"])
    run = msgspec.structs.replace(run, render=msgspec.structs.replace(run.render, plain=True), cache=None)
    fit(run, bundle)
    names = LabelTable.of([*KINDS, "Silence"]).names
    begun = with_labels(network_of(bundle), bundle.labels, names)
    network, _ = trained_network(run, names)
    for name, value in begun.body.state_dict().items():
        torch.testing.assert_close(network.body.state_dict()[name], value)
    assert (run.output / FITTED).is_file()
    assert (network.head.weight != begun.head.weight).any()
    assert 0 < network.competition < 0.9
