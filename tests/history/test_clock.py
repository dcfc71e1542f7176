import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.history import clock as clock_module
from streamtag.history.clock import LEAST_SECONDS, MOST_SECONDS, EvenClock
from tests.history.conftest import NOW, Clock

YEARS = 10 * 365 * 86_400.0


def run(clock: Clock, seconds: float) -> list[float]:
    """Let a clock go on and look every 30 s; return what it was set by."""
    jumps = []
    for _ in range(round(seconds / 30)):
        clock.go_on(30.0)
        jumps.append(clock.look())
    return jumps


def test_a_clock_that_runs_on_is_even_after_five_minutes(clock: Clock) -> None:
    run(clock, LEAST_SECONDS - 30)
    assert not clock.is_even
    assert set(run(clock, 30)) == {0.0}
    assert clock.is_even


@given(st.floats(6.0, 1e9), st.sampled_from([-1, 1]))
def test_a_clock_that_was_set_is_not_even_for_as_long_as_it_jumped(seconds: float, way: int) -> None:
    clock = Clock()
    run(clock, MOST_SECONDS)
    clock.wall += way * seconds
    assert clock.look() == pytest.approx(way * seconds, abs=1e-6)
    needed = min(MOST_SECONDS, max(LEAST_SECONDS, seconds))
    run(clock, needed - 60)
    assert not clock.is_even
    run(clock, 120)
    assert clock.is_even


def test_a_clock_that_drifts_is_even(clock: Clock) -> None:
    for _ in range(3000):
        clock.gone += 30.0
        clock.wall += 30.0 * 1.0005
        assert clock.look() == 0.0
    assert clock.is_even


def test_a_small_step_does_not_make_up_for_a_large_one(clock: Clock) -> None:
    clock.wall += YEARS
    clock.look()
    run(clock, 3600)
    clock.wall += 10.0
    clock.look()
    run(clock, 3600)
    assert not clock.is_even


def test_a_clock_far_beyond_what_is_known_is_watched_for_a_day(clock: Clock) -> None:
    clock.expect(NOW - YEARS)
    run(clock, MOST_SECONDS - 60)
    assert not clock.is_even
    run(clock, 120)
    assert clock.is_even


def test_the_clock_of_the_day_and_one_that_nobody_sets_are_read() -> None:
    clock = EvenClock()
    assert clock.look() == 0.0
    assert clock.now() > NOW
    assert clock_module._elapsed() > 0
