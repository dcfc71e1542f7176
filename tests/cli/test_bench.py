import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from streamtag.benchmark import Report
from streamtag.benchmark.overhead import Overhead
from streamtag.benchmark.stages import Stage
from streamtag.benchmark.throughput import Throughput
from tests.benchmark.made import live

Call = Callable[..., CompletedProcess[str]]


@pytest.mark.timeout(240)
def test_bench_measures_stages_one_core_and_live_streams(
    config: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamtag.benchmark.stages.STAGE_SECONDS", 0.05)
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
        call("bench", "--json", tmp_path)
    assert refused.value.code == 2


def test_bench_prints_tables_while_it_writes_json(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = {
        "processor": "Some processor",
        "features": ["AVX2"],
        "cores": 2,
        "memory_gib": 8.0,
        "system": "Linux",
        "python": "3.11",
        "versions": {"numpy": "2.4"},
    }
    report = Report(
        machine=machine,
        model={"bundle": "tiny", "runtime": "auto"},
        stages=[Stage("front end", 1, 0.2), Stage("front end", 8, 0.1)],
        overhead=Overhead(1000, 40.0, 15.0),
        one_core=Throughput(5000, 0.4, 2400.0),
        live=live(5000, in_real_time=False),
    )
    monkeypatch.setattr("streamtag.benchmark.measure", lambda *_: report)
    done = call("bench", "--json", tmp_path / "bench.json")
    assert done.returncode == 0
    assert json.loads((tmp_path / "bench.json").read_text())["overhead"]["patch_us"] == 15.0
    lines = done.stdout.splitlines()
    assert lines[:2] == ["Some processor (AVX2), 2 cores, 8.0 GiB; Linux", "Python 3.11, numpy 2.4"]
    assert ["5,000", "no"] in [[line.split()[0], line.split()[-1]] for line in lines if line]
    assert "front end                 0.200    0.100" in done.stdout
