import json
from pathlib import Path

import pytest

from tests.cli.commands import run


@pytest.mark.timeout(120)
def test_bench_measures_stages_one_core_and_live_streams(config: Path) -> None:
    done = run("--config", config, "bench", "--json", "--streams", "2", "--seconds", "2")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["machine"]["cores"] >= 1
    assert {stage["batch"] for stage in report["stages"]} == {1, 8}
    assert {"front end", "network"} <= {stage["name"] for stage in report["stages"]}
    assert all(stage["milliseconds"] > 0 for stage in report["stages"])
    assert report["one_core"]["patches"] > 0
    live = report["live"]
    assert live["streams"] == 2
    assert 2 <= live["patches"] <= 6
    assert 0 < live["latency_ms_p50"] <= live["latency_ms_p99"] <= live["latency_ms_max"]
    assert live["cpu_percent"] > 0
    assert live["memory_mb"] > 10


def test_bench_says_what_is_wrong_with_the_model(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[model]\nbundle = "/nowhere"\n')
    done = run("--config", tmp_path / "c.toml", "bench")
    assert done.returncode == 1
    assert "no such bundle" in done.stderr.splitlines()[-1]
