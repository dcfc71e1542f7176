import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from streamtag.benchmark import ModelSpeed, Overload, Report, Scaling, Scoring, Sustained, Variant
from streamtag.benchmark.growth import Idle
from streamtag.benchmark.handling import Handling
from streamtag.benchmark.stages import Stage
from streamtag.benchmark.throughput import Throughput
from tests.benchmark.made import live

Call = Callable[..., CompletedProcess[str]]


@pytest.fixture
def whole_report() -> Report:
    one = Scoring("tiny", "onnxruntime CPU int8", 1, {1: 0.5, 8: 0.4}, 9000, 0.3, 3000.0, 2880)
    return Report(
        machine={
            "processor": "Some processor",
            "cores": 2,
            "memory_gib": 8.0,
            "system": "Linux",
            "python": "3.11",
            "versions": {"numpy": "2.4"},
        },
        model={"bundle": "tiny", "runtime": "auto"},
        stages=[Stage("front end", 1, 0.2), Stage("front end", 8, 0.1)],
        handling=Handling(1000, 40.0, 15.0),
        one_core=Throughput(5000, 0.4, 2400.0),
        live=live(1),
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


@pytest.mark.timeout(240)
def test_bench_measures_stages_one_core_and_live_streams(config: Path, call: Call) -> None:
    done = call("--config", config, "bench", "--json", "--streams", "3", "--seconds", "2")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["machine"]["cores"] >= 1
    assert {stage["batch"] for stage in report["stages"]} == {1, 8}
    assert {"front end", "network"} <= {stage["name"] for stage in report["stages"]}
    assert all(stage["milliseconds"] > 0 for stage in report["stages"])
    assert report["one_core"]["patches"] > 0
    live = report["live"]
    assert live["streams"] == 3
    assert 5 <= live["patches"] == live["expected_patches"] <= 8
    assert live["dropped_patches"] == live["missed_messages"] == 0
    assert 0 < live["latency_ms_p50"] <= live["latency_ms_p99"] <= live["latency_ms_max"]
    assert live["cpu_percent"] > 0
    assert live["memory_mb"] > 10


def test_bench_says_what_is_wrong_with_the_model(tmp_path: Path, call: Call) -> None:
    (tmp_path / "c.toml").write_text('[model]\nbundle = "/nowhere"\n')
    done = call("--config", tmp_path / "c.toml", "bench")
    assert done.returncode == 1
    assert "no such bundle" in done.stderr.splitlines()[-1]


def test_bench_refuses_a_file_that_it_cannot_write_before_it_measures(tmp_path: Path, call: Call) -> None:
    with pytest.raises(SystemExit) as refused:
        call("bench", "--growth", "--json", tmp_path)
    assert refused.value.code == 2


def test_bench_prints_tables_while_it_writes_json_and_picture(
    tmp_path: Path, whole_report: Report, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamtag.benchmark.measure", lambda *_: whole_report)
    done = call("bench", "--growth", "--json", tmp_path / "bench.json", "--plot", tmp_path / "growth.svg")
    assert done.returncode == 0
    assert json.loads((tmp_path / "bench.json").read_text())["scaling"]["factor"] == 1.9
    assert (tmp_path / "growth.svg").read_text().startswith("<svg")
    lines = done.stdout.splitlines()
    assert lines[0] == "Some processor, 2 cores, 8.0 GiB; Linux"
    assert ["5,000", "no"] in [[line.split()[0], line.split()[-1]] for line in lines if line]
    for text in (
        "front end                 0.200    0.100",
        "an idle stream takes 110 kB",
        "two cores carry 1.90 times as many",
        "live on one core: 2,000 streams",
        "a stream lost 49 to 51 %",
        "it has no such file",
    ):
        assert text in done.stdout
