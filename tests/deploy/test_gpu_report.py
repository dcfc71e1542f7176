"""The page of what a machine with a GPU showed."""

import sys
from pathlib import Path
from typing import Any

import pytest

from deploy import gpu_report
from deploy.cli import parser
from deploy.gpu_report import AIMS, Aim, Step, as_page, main, reached, run, steps


def _row(**other: Any) -> dict[str, Any]:
    row = {"network": "default", "runtime": "TensorRT 11.4", "graph": "pcm", "precision": "float16", "batch": 1024}
    return row | {"patches_a_second": 1.0, "median_ms": 1.0} | other


def test_every_step_is_a_command_that_there_is(tmp_path: Path) -> None:
    commands = [step.arguments for step in steps(tmp_path)]
    ours = [arguments[2:] for arguments in commands if arguments[:2] == ["-m", "deploy"]]
    for words in ours:
        assert parser().parse_args(words).command == words[0]
    assert {words[0] for words in ours} == {"compile", "verify", "bench"}
    (tests,) = (arguments for arguments in commands if "pytest" in arguments)
    assert Path(gpu_report.__file__).parents[1].joinpath(tests[-1]).is_file()


@pytest.mark.parametrize(
    ("aim", "rows", "expected"),
    [
        (Aim("default", "pcm", "patches_a_second", 500.0), [], (None, False)),
        (Aim("default", "pcm", "patches_a_second", 500.0), [_row(patches_a_second=500.0)], (500.0, True)),
        (Aim("default", "pcm", "patches_a_second", 500.0), [_row(patches_a_second=499.0)], (499.0, False)),
        (Aim("default", "pcm", "patches_a_second", 500.0), [_row(), _row(patches_a_second=7.0)], (7.0, False)),
        (Aim("default", "pcm", "median_ms", 0.4, batch=1), [_row(median_ms=0.1)], (None, False)),
        (Aim("default", "pcm", "median_ms", 0.4, batch=1), [_row(batch=1, median_ms=0.3)], (0.3, True)),
        (Aim("default", "pcm", "median_ms", 0.4, batch=1), [_row(batch=1, median_ms=0.4)], (0.4, False)),
        (Aim("default", "pcm", "median_ms", 0.4), [_row(precision="float32"), _row(runtime="torch")], (None, False)),
        (Aim("resnet50", "pcm", "median_ms", 0.4), [_row()], (None, False)),
    ],
)
def test_an_aim_is_judged_by_the_best_float16_row_of_its_network_and_graph(
    aim: Aim, rows: list[dict[str, Any]], expected: tuple[float | None, bool]
) -> None:
    assert reached(aim, rows) == expected


def test_the_aims_are_those_of_the_guide() -> None:
    guide = (Path(gpu_report.__file__).parents[1] / "docs" / "deploy.md").read_text()
    for figure in ("500 000 patches a second", "60 000 patches a second", "below 0.4 ms"):
        assert figure in guide
    assert [aim.limit for aim in AIMS] == [500_000, 60_000, 0.4]


def test_a_step_s_output_and_status_are_kept() -> None:
    outcome = run(Step("try", ["-c", "import sys; print('out'); sys.exit('err')"]))
    assert (outcome.status, set(outcome.output.split())) == (1, {"out", "err"})


def test_the_page_has_the_machine_each_step_and_what_was_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = (
        "import json, pathlib\n"
        f"pathlib.Path({str(tmp_path / 'bench.json')!r}).write_text(json.dumps({{'rows': "
        f"[{_row(patches_a_second=612345.6)!r}]}}))"
    )
    monkeypatch.setattr(
        gpu_report,
        "steps",
        lambda folder: [Step("verify", ["-c", "print('passed'); raise SystemExit(3)"]), Step("measure", ["-c", bench])],
    )
    assert main(tmp_path) == 1
    page = (tmp_path / "README.md").read_text()
    for part in ("- gpu: none used", "| verify |", "FAILED (3)", "## verify", "passed"):
        assert part in page
    assert "| default, pcm, patches_a_second | 500,000 | 612,345.600 | reached |" in page
    assert page.count("not measured | NOT REACHED") == 2


def test_the_page_is_there_although_nothing_was_measured() -> None:
    page = as_page({"gpu": "none"}, [], [])
    assert page.count("not measured") == len(AIMS)
    assert sys.executable not in page
