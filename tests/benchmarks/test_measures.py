"""Each measure once, as short as it may be: that it runs and counts, not how fast anything is."""

import os

import pytest

from benchmarks.growth import measure_idle
from benchmarks.models import measure_models
from benchmarks.overload import _first_round_without, measure_overload
from benchmarks.scoring import Variant, measure_scoring
from streamtag.runtime_kinds import RUNTIMES, RuntimeKind
from streamtag.settings import Config

pytestmark = pytest.mark.timeout(120)  # each starts processes that import everything


def test_the_few_go_on_when_the_crowd_has_left(config: Config) -> None:
    late = 60_000.0  # however slow the machine is
    overload = measure_overload(config, 6, 2, seconds=2.0, after_seconds=2.0, settle_seconds=0.2, in_time_ms=late)
    assert overload.scored_percent == 100
    assert overload.dropped_percent_most == 0
    assert overload.recovery_seconds == 0
    assert overload.late_percent == 0


def test_recovery_is_the_first_round_in_which_nothing_is_late() -> None:
    assert _first_round_without([], 10.0, 12.0) == 10.0
    assert _first_round_without([10.2, 10.9, 12.5], 10.0, 14.0) == 10.9
    assert _first_round_without([10.2, 11.0], 10.0, 11.9) is None


def test_patches_from_memory_are_scored_by_one_thread_a_core(config: Config) -> None:
    cores = sorted(os.sched_getaffinity(0))[:2]
    scoring = measure_scoring(config, Variant(config.model.bundle, "onnxruntime"), 0.1, cores)
    assert scoring.threads == len(cores)
    assert scoring.patches > 0
    assert scoring.streams == int(scoring.patches_a_second * 0.96)
    assert set(scoring.network_ms) == {1, 8, 16, 32, 64, 256}


def test_each_file_is_measured_with_each_runtime_that_takes_any(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.models.installed", list)
    absent = RuntimeKind("absent", "absent", "")
    monkeypatch.setattr("benchmarks.models.RUNTIMES", {"onnxruntime": RUNTIMES["onnxruntime"], "absent": absent})
    told: list[str] = []
    (speed,) = measure_models(config, 0.1, told.append)
    assert speed.variant == Variant(config.model.bundle, "onnxruntime", "model.onnx")
    assert speed.scoring is not None
    assert speed.scoring.runtime == "onnxruntime CPU float32"
    assert told[0] == f"{config.model.bundle} onnxruntime model.onnx"


def test_the_memory_of_idle_streams_is_told_a_stream(config: Config) -> None:
    assert measure_idle(config, 5).streams == 5
