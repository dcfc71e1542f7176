import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.sources.stamps import Stamps

PACKET = 0.02


def holes(stamps: list[float], packet: float = PACKET, longest: float = 60.0) -> dict[int, float]:
    """The hole before each run of `packet` seconds whose time stamps are these."""
    judge: Stamps[int] = Stamps(longest)
    ready = [each for number, stamp in enumerate(stamps) for each in judge.feed(number, packet, stamp)]
    ready += judge.finish()
    assert [number for _, number in ready] == list(range(len(stamps)))
    return {number: hole for hole, number in ready if hole}


def steady(seconds: float, begin: float = 0.0, packet: float = PACKET, speed: float = 1.0) -> list[float]:
    return [begin + speed * packet * number for number in range(round(seconds / packet))]


@given(st.floats(0.5, 3.0), st.sampled_from([0.02, 0.064, 0.25, 1.0]))
def test_a_clock_that_runs_fast_or_slow_makes_no_hole(speed: float, packet: float) -> None:
    assert holes(steady(20.0, packet=packet, speed=speed), packet) == {}


@pytest.mark.parametrize("packet", [0.02, 0.064, 0.25, 1.0])
@pytest.mark.parametrize("packets", [1, 2, 10])
def test_missing_packets_are_a_hole_where_they_were(packet: float, packets: int) -> None:
    stamps = steady(30 * packet + 5, packet=packet)
    expected = {15: pytest.approx(packets * packet)} if packets * packet > 0.1 else {}
    assert holes(stamps[:15] + stamps[15 + packets :], packet) == expected


def test_stamps_that_are_rounded_are_believed() -> None:
    stamps = [round(stamp, 3) for stamp in steady(20.0, packet=0.021333)]
    assert holes(stamps, 0.021333) == {}
    assert holes(stamps[:100] + stamps[200:], 0.021333) == {100: pytest.approx(2.1333, abs=0.002)}


@pytest.mark.parametrize("wrong", [1, 10, 100])
@pytest.mark.parametrize("jump", [5.0, 0.5, -5.0, 36_000.0])
def test_stamps_that_jump_and_come_back_make_no_hole(wrong: int, jump: float) -> None:
    stamps = steady(20.0)
    stamps[200 : 200 + wrong] = [stamp + jump for stamp in stamps[200 : 200 + wrong]]
    assert holes(stamps) == {}


@pytest.mark.parametrize("hours", [10.0, -10.0, 0.1])
def test_recordings_that_were_joined_have_no_hole(hours: float) -> None:
    assert holes(steady(5.0) + steady(5.0, 5.0 + 3600 * hours)) == {}


def test_a_container_that_knows_its_length_may_have_a_long_hole() -> None:
    assert holes(steady(5.0) + steady(5.0, 305.0), longest=float("inf")) == {250: pytest.approx(300.0)}


def test_holes_close_to_each_other_are_each_told() -> None:
    stamps = steady(20.0)
    kept = stamps[:200] + stamps[250:260] + stamps[300:]
    assert holes(kept) == {200: pytest.approx(1.0), 210: pytest.approx(0.8)}


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_packets_that_are_missing_here_and_there_are_counted_together(share: float) -> None:
    is_there = np.random.default_rng(0).random(3000) >= share
    stamps = [stamp for stamp, there in zip(steady(60.0), is_there, strict=True) if there]
    assert sum(holes(stamps).values()) == pytest.approx(PACKET * np.count_nonzero(~is_there), abs=0.2)


def test_the_last_stamp_alone_is_not_believed() -> None:
    assert holes([*steady(5.0), 9.0]) == {}


def test_what_has_no_stamps_has_no_holes() -> None:
    judge: Stamps[int] = Stamps(60.0)
    assert [judge.feed(number, PACKET, None) for number in range(3)] == [[(0.0, 0)], [(0.0, 1)], [(0.0, 2)]]


def test_what_was_skipped_is_not_a_hole() -> None:
    judge: Stamps[int] = Stamps(60.0)
    judge.feed(0, PACKET, 0.0)
    judge.skip()
    assert judge.feed(1, PACKET, 10.0) == [(0.0, 1)]
    assert judge.feed(2, PACKET, 10.0 + PACKET) == [(0.0, 2)]


@given(st.lists(st.tuples(st.floats(0.001, 2.0), st.none() | st.floats(-1e6, 1e6)), max_size=200))
def test_nothing_is_kept_and_no_hole_is_negative(runs: list[tuple[float, float | None]]) -> None:
    judge: Stamps[int] = Stamps(60.0)
    ready = [each for number, (seconds, stamp) in enumerate(runs) for each in judge.feed(number, seconds, stamp)]
    ready += judge.finish()
    assert [number for _, number in ready] == list(range(len(runs)))
    assert all(0.0 <= hole <= 60.0 for hole, _ in ready)
