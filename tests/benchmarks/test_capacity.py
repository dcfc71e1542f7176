from typing import Any

import pytest

from benchmarks import capacity, growth
from benchmarks.capacity import Capacity, measure, parse
from benchmarks.overload import Overload
from benchmarks.scoring import Scaling, Scoring
from benchmarks.sustained import Sustained
from streamtag.benchmark.overhead import Overhead
from streamtag.settings import Config
from tests.benchmark.made import live

SCORING = Scoring("tiny", "onnxruntime CPU int8", 1, {1: 0.5}, 1000, 0.44, 2200.0, 2112)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """Replace all measures, and return what each of the long ones is asked for."""
    asked: dict[str, list[Any]] = {"sustained": [], "overload": []}

    def sustained(config: Config, cores: int, seconds: float, guess: int, progress: Any) -> Sustained:
        asked["sustained"].append((cores, seconds, guess))
        return Sustained(cores, 1000 * cores, [], [])

    def overload(config: Config, streams: int, few: int) -> Overload:
        asked["overload"].append((streams, few))
        return Overload(streams, few, 50.0, 49.0, 50.0, 51.0, 200.0, 1.0, 0.0)

    monkeypatch.setattr(capacity, "measure_overhead", lambda config, streams: Overhead(streams, 40.0, 20.0))
    monkeypatch.setattr(capacity, "measure_scaling", lambda config, seconds: Scaling([SCORING], [], None))
    monkeypatch.setattr(capacity, "measure_sustained", sustained)
    monkeypatch.setattr(capacity, "measure_overload", overload)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    return asked


def test_what_is_not_asked_for_is_left_out(asked: dict[str, list[Any]]) -> None:
    told: list[str] = []
    found = measure(Config(), parse([]), told.append)
    assert asked == {"sustained": [], "overload": []}
    assert found == Capacity(found.machine, {"bundle": "default", "runtime": "auto"})
    assert told == []


def test_the_search_begins_where_scoring_from_memory_says(asked: dict[str, list[Any]]) -> None:
    measure(Config(), parse(["--sustained", "60"]), lambda _: None)
    assert asked["sustained"] == [(1, 60.0, 2000), (2, 60.0, 2000)]  # 960 ms / 0.48 ms; twice what one core carried


def test_overload_goes_by_what_one_core_scores_from_memory_whatever_it_carried(asked: dict[str, list[Any]]) -> None:
    measure(Config(), parse(["--sustained", "60", "--overload"]), lambda _: None)
    assert asked["overload"] == [(3000, 500)]


def test_growth_tells_of_each_number_before_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []

    def measure_live(config: Config, streams: int, seconds: float) -> object:
        done.append(streams)
        return live(streams)

    monkeypatch.setattr(growth, "measure_live", measure_live)
    rows = growth.measure_growth(Config(), 5.0, lambda streams: done.append(f"trying {streams}"))
    assert [row.streams for row in rows] == [1, 10, 100, 500, 1000, 2000, 5000]
    assert done[:4] == ["trying 1", 1, "trying 10", 10]
