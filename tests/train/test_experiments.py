from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from streamtag.errors import ConfigError
from train.data.sets import collect
from train.experiments.conditions import EXPERIMENTS
from train.experiments.narrow import narrowed
from train.experiments.tables import order_in_words
from train.experiments.transfer import shallow
from train.networks import make_network
from train.networks.counts import multiplies
from train.settings import Settings, TeacherSettings


def test_the_order_is_said_pair_by_pair() -> None:
    ours = {"a": 0.3, "b": 0.2, "c": 0.25}
    assert order_in_words(ours, {"a": 0.3, "b": 0.1, "c": 0.05}) == (
        "The order by mAP is the paper's in 2 of 3 pairs. As there: a over b; a over c. Not as there: b over c."
    )


def test_ties_of_the_paper_have_no_order() -> None:
    assert order_in_words({"a": 1, "b": 2}, {"a": 0.1, "b": 0.1}).startswith("The paper has no two")


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("name", "rows"), [("labels", 4), ("data-size", 4)])
def test_an_experiment_gives_a_row_a_condition_beside_the_papers(
    settings: Callable[..., Settings], name: str, rows: int
) -> None:
    run = settings(steps=2, checkpoint_every=2, report_every=2)
    page = EXPERIMENTS[name](run, collect(run.data))
    table = [line for line in page.splitlines() if line.startswith("| ")]
    assert len(table) == rows + 1
    assert "seed 1" in page
    assert "The order by mAP is the paper's in" in page


def test_an_experiment_without_a_test_fold_is_one_line(settings: Callable[..., Settings]) -> None:
    run = settings()
    data = msgspec.structs.replace(run.data, test_fold=0)
    with pytest.raises(ConfigError, match="judged on the test fold"):
        EXPERIMENTS["data-size"](run, collect(data))


class _MeanBands:
    """Hears the mean of each band."""

    def __init__(self, *_: Path) -> None: ...

    def features(self, _: object, __: object, patches: NDArray[np.float32]) -> NDArray[np.float16]:
        heard: NDArray[np.float16] = patches.mean(axis=1).astype(np.float16)
        return heard


def test_what_shares_of_the_sources_bring_is_judged_on_what_is_held_back(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.experiments.sources.Ears", _MeanBands)
    monkeypatch.setattr("train.experiments.transfer.STEPS", 150)
    run = settings()
    with pytest.raises(ConfigError, match=r"needs \[teacher\], \[data\] test_fold and held"):
        EXPERIMENTS["sources"](run, collect(run.data))
    run = msgspec.structs.replace(run, teacher=TeacherSettings(yamnet=Path("yamnet"), mn04=Path("mn04")))
    found = collect(run.data)
    parts = replace(found.split, held=found.split.calibration)
    page = EXPERIMENTS["sources"](run, replace(found, split=parts))
    rows = [line.split(" | ") for line in page.splitlines() if "of the sources |" in line]
    assert [row[0] for row in rows] == [f"| {share} % of the sources" for share in (100, 50, 25, 10)]
    assert int(rows[0][1]) == len(parts.train) > int(rows[1][1]) > int(rows[2][1])
    assert float(rows[0][5]) > 0.8  # of the fold, top-1


def test_a_shallow_network_learns_what_its_inputs_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.experiments.transfer.STEPS", 150)
    rng = np.random.default_rng(0)
    truth = np.eye(3, dtype=np.bool_)[rng.integers(3, size=300)]
    inputs = (truth @ rng.standard_normal((3, 20)) + 0.1 * rng.standard_normal((300, 20))).astype(np.float32)
    scores = shallow(inputs[:200], truth[:200], inputs[200:], seed=1)
    assert (scores.argmax(axis=1) == truth[200:].argmax(axis=1)).mean() > 0.95


@pytest.mark.parametrize("name", ["fully_connected", "alexnet", "vgg", "inception_v3", "resnet50"])
def test_a_narrowed_network_keeps_its_outputs_and_loses_nearly_the_square_of_its_multiplies(name: str) -> None:
    whole = multiplies(make_network(name, 7))
    network = narrowed(make_network(name, 7), 8)
    logits, _ = network.eval()(torch.zeros(2, 1, 96, 64))
    assert logits.shape == (2, 7)
    assert 8 < whole / multiplies(network) <= 64


def test_every_experiment_config_of_the_repository_is_valid() -> None:
    from train.settings import load_settings

    files = sorted((Path(__file__).parents[2] / "train" / "configs").rglob("*.toml"))
    assert len(files) >= 8
    assert {load_settings(path).fit.network for path in files} >= {"tagnet", "vgg", "resnet50"}
