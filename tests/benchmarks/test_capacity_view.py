from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.capacity import Capacity
from benchmarks.capacity_view import draw_growth, show
from benchmarks.growth import Idle
from benchmarks.models import ModelSpeed
from benchmarks.overload import Overload
from benchmarks.scoring import Scaling, Scoring, Variant
from benchmarks.sustained import Sustained
from tests.benchmark.made import live

SVG = "{http://www.w3.org/2000/svg}"


def test_a_number_of_streams_that_was_not_carried_has_a_hollow_mark(tmp_path: Path) -> None:
    found = Capacity({"processor": "a <machine>", "features": ["AVX2"], "cores": 2}, {})
    found.growth = [live(1), live(1000), live(5000, in_real_time=False)]
    draw_growth(found, tmp_path / "growth.svg")
    root = ElementTree.parse(tmp_path / "growth.svg").getroot()
    marks = [use.get("style", "") for use in root.iter(f"{SVG}use") if "fill" in use.get("style", "")]
    hollow = [style for style in marks if "fill-opacity: 0" in style or "fill: none" in style]
    assert len(marks) - len(hollow) >= 2 * 4
    assert len(hollow) == 3  # the last p99 is not known


def test_all_that_was_measured_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    one = Scoring("tiny", "onnxruntime CPU int8", 1, {1: 0.5, 8: 0.4}, 9000, 0.3, 3000.0, 2880)
    show(
        Capacity(
            machine={"processor": "Some processor", "features": ["AVX2"], "cores": 2},
            model={"bundle": "tiny", "runtime": "auto"},
            growth=[live(1), live(5000, in_real_time=False)],
            idle=Idle(1000, 110.0),
            scaling=Scaling([one], [one], 1.9),
            sustained=[Sustained(1, 2000, [live(2600, in_real_time=False)], [live(2000, seconds=60.0)])],
            overload=Overload(4000, 500, 50.0, 49.0, 50.0, 51.0, 300.0, 1.5, 0.25),
            models=[
                ModelSpeed(Variant("tiny", "onnxruntime", "model.int8.onnx"), one),
                ModelSpeed(Variant("tiny", "torch"), None, "it has no such file"),
            ],
        )
    )
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert lines[0] == "Some processor (AVX2), 2 cores"
    assert ["5,000", "no"] in [[line.split()[0], line.split()[-1]] for line in lines if line]
    for text in (
        "an idle stream takes 110 kB",
        "two cores carry 1.90 times as many",
        "live on one core: 2,000 streams",
        "a stream lost 49 to 51 %",
        "it has no such file",
    ):
        assert text in shown
