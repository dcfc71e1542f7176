from collections.abc import Callable

import msgspec
import pytest
import torch
from torch import nn

from train import loop
from train.early_stopping import EarlyStopping
from train.fit import fit
from train.loop import LAST
from train.metrics import Metrics
from train.settings import Settings


def test_a_run_without_patience_never_ends() -> None:
    patience = EarlyStopping(0)
    for _ in range(10):
        patience.look(nn.Linear(1, 1), 0.1)
    assert not patience.over


def test_the_best_weights_come_back_when_patience_is_over() -> None:
    patience, network = EarlyStopping(2), nn.Linear(1, 1)
    for place, found in enumerate([0.2, 0.5, 0.4, 0.5]):
        assert not patience.over
        nn.init.constant_(network.weight, float(place))
        patience.look(network, found)
    assert patience.over
    assert network.weight.item() == 1.0


def test_patience_goes_on_counting_where_a_checkpoint_stood() -> None:
    first, network = EarlyStopping(2), nn.Linear(1, 1)
    for found in (0.5, 0.4):
        first.look(network, found)
    again = EarlyStopping(2)
    again.restore(first.state())
    again.look(network, 0.3)
    assert again.over


@pytest.mark.timeout(240)
def test_a_run_that_gains_nothing_stops_with_its_best_weights_and_stays_stopped(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = settings(steps=40, checkpoint_every=2, report_every=20, patience=3, average=0.0)
    seen: list[dict[str, torch.Tensor]] = []

    def judged(network: nn.Module, *_: object) -> dict[str, Metrics]:
        seen.append({name: value.clone() for name, value in network.state_dict().items()})
        found = [0.3, 0.6, 0.5, 0.6, 0.4, 0.9][len(seen) - 1]
        return {"calibration": Metrics(1, 1, found, found, found, found, found)}

    monkeypatch.setattr(loop, "judge", judged)
    fit(run)
    assert "no gain in 3 checkpoints: stopped at step 10 with the best weights" in capsys.readouterr().err
    kept = torch.load(run.output / LAST, weights_only=True)
    assert kept["step"] == 10
    assert all(torch.equal(kept["average"][name], value) for name, value in seen[1].items())
    fit(run)
    assert torch.load(run.output / LAST, weights_only=True)["step"] == 10


def test_patience_without_calibration_recordings_says_that_it_has_nothing_to_look_at(
    settings: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    run = settings(steps=4, checkpoint_every=2, report_every=4, patience=1)
    data = msgspec.structs.replace(run.data, calibration_share=0.0)
    fit(msgspec.structs.replace(run, data=data, cache=None))
    said = capsys.readouterr().err
    assert "no calibration recordings to tell a gain by, so all steps are done" in said
    assert "stopped at step" not in said


def test_a_run_says_after_its_first_steps_how_long_it_will_take(
    settings: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    fit(settings(steps=14, checkpoint_every=14, report_every=14))
    (line,) = [line for line in capsys.readouterr().err.splitlines() if " ms each: " in line]
    assert line.startswith("14 steps at ")
    assert line.endswith(" s from here, without judging the checkpoints")
