"""The model by which two measured cores tell of 64: against figures that were made, so that it can be done by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from benchmarks.scaling import CORES, carried, print_scaling
from benchmarks.scoring import Scaling, Scoring
from benchmarks.separate_work import SeparateWork
from streamtag.benchmark.overhead import Overhead

OVERHEAD = Overhead(streams=1000, sound_in_us=30.0, patch_us=20.0)
"""50 µs of each live patch are the service's own: one interpreter carries 20,000 a second, and 50,000 from memory."""


def scoring(threads: int, cpu_ms: float, patches_a_second: float) -> Scoring:
    held = None if threads == 1 else 40.4
    return Scoring("made", "made CPU int8", threads, {8: 0.2}, 1000, cpu_ms, patches_a_second, 0, held)


def test_few_cores_carry_what_their_time_is_worth() -> None:
    one, two = carried(1, 0.20, OVERHEAD), carried(2, 0.20, OVERHEAD)
    assert one.from_memory == pytest.approx(1000 / 0.22)
    assert one.live_streams == pytest.approx(0.96 * 1000 / 0.25)
    assert (two.from_memory, two.live_streams) == pytest.approx((2 * one.from_memory, 2 * one.live_streams))
    assert {one.ended_by, two.ended_by} == {"the cores"}


def test_many_cores_are_ended_by_what_one_interpreter_does() -> None:
    many = carried(64, 0.20, OVERHEAD)
    assert many.from_memory == pytest.approx(50_000)
    assert many.live_streams == pytest.approx(0.96 * 20_000)
    assert many.ended_by == "the service's interpreter"


@given(
    cores=some.integers(1, 127),
    score_ms=some.floats(0.01, 10),
    sound_in=some.floats(1, 500),
    patch=some.floats(1, 500),
)
def test_a_core_more_never_carries_less_and_none_carries_more_than_its_time(
    cores: int, score_ms: float, sound_in: float, patch: float
) -> None:
    overhead = Overhead(1000, sound_in, patch)
    fewer, more = carried(cores, score_ms, overhead), carried(cores + 1, score_ms, overhead)
    assert fewer.from_memory <= more.from_memory * (1 + 1e-9)
    assert fewer.live_streams <= more.live_streams * (1 + 1e-9)
    assert fewer.from_memory * (score_ms + patch / 1000) <= 1000 * cores * (1 + 1e-9)
    assert fewer.live_streams / 0.96 <= fewer.from_memory * (1 + 1e-9)  # live sound is to be taken in, too


def test_what_was_measured_stands_beside_what_the_model_says_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    scaling = Scaling([scoring(1, 0.22, 4500), scoring(1, 0.25, 4000)], [scoring(2, 0.24, 8100)], 1.8)
    separate = SeparateWork(products=(300_000.0, 590_000.0), patches=(4200.0, 7980.0))
    print_scaling([separate], scaling, [(800.0, 1600.0)], OVERHEAD, 120_000.0)
    printed = capsys.readouterr().out
    assert "300000   590000   1.97" in printed
    assert "4200     7980   1.90" in printed
    assert "4500     8100   1.80" in printed
    assert "800     1600   2.00" in printed
    assert "a patch: 0.200 ms front end and network; 20 µs from its queue to the wire and 30 µs" in printed
    assert "a process that scores has 40 MB to itself" in printed
    rows = [line.split() for line in printed.splitlines()[-len(CORES) :]]
    assert [int(row[0]) for row in rows] == list(CORES)
    assert rows[0][1:3] == ["4,545", "3,840"]
    assert rows[1][1:3] == ["9,091", "7,680"]
    assert rows[-1][1:3] == ["50,000", "19,200"]
