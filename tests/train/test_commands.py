"""`python -m train` from the command line to the files that it leaves."""

import json
from pathlib import Path

import pytest

from train.cli import main
from train.networks import NETWORKS

TINY = """
name = "tiny"
output = "{output}"
processes = 1
[data]
root = "{root}"
sets = ["made"]
test_fold = 1
calibration_share = 0.15
[render]
windows = 64
[fit]
steps = 4
batch = 16
warmup_steps = 1
threads = 1
checkpoint_every = 4
report_every = 2
"""


@pytest.fixture
def config(recordings: Path, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.format(output=tmp_path / "run", root=recordings))
    return path


def test_networks_prints_the_five_of_the_paper_and_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["networks", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["network"] for row in rows} == {
        "fully_connected", "alexnet", "vgg", "inception_v3", "resnet50", "mobilenet_v3", "tagnet",
    }  # fmt: skip
    assert all(set(row) == {"network", "weights", "multiplies", "paper_weights", "paper_multiplies"} for row in rows)


def test_networks_without_json_is_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.networks.paper_table.NETWORKS", {"resnet50": NETWORKS["resnet50"]})
    assert main(["networks"]) == 0
    assert "resnet50" in capsys.readouterr().out


@pytest.mark.timeout(240)
def test_fit_and_evaluate_leave_figures_and_pictures(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", str(config)]) == 0
    assert main(["evaluate", str(config), "--json"]) == 0
    printed = capsys.readouterr().out
    result = json.loads(printed[printed.index("{") :])
    folder = tmp_path / "run" / "evaluation"
    assert result == json.loads((folder / "evaluation.json").read_text())
    assert set(result["sets"]) == {"calibration", "fold"}
    assert set(result["sets"]["fold"]) >= {"clip", "patch", "skipped", "told_apart"}
    report = (folder / "report.md").read_text()
    for kind in ("per_class", "confusion", "precision_recall", "histograms", "calibration"):
        assert f"fold_{kind}.png" in report
        assert (folder / f"fold_{kind}.png").stat().st_size > 1000


def test_an_unknown_key_is_one_line_with_file_and_place(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(config.read_text() + "speed = 3\n")
    assert main(["fit", str(config)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {config}: Object contains unknown field `speed`")
    assert "$.fit" in error
    assert error.count("\n") == 1


def test_a_run_without_weights_cannot_be_judged(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(config)]) == 2
    assert "cannot be read" in capsys.readouterr().err.splitlines()[-1]


def test_fit_without_a_file_or_a_bundle_says_what_it_wants(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit"]) == 2
    assert capsys.readouterr().err == "error: fit: name a run's TOML file, or a bundle to start from with --from\n"


def test_a_bundle_of_other_labels_is_not_judged_on_a_runs_recordings(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(config), "--bundle", "default"]) == 2
    assert "has other labels than [data] gives" in capsys.readouterr().err
