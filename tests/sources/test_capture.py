"""The clock of capture, tried on arrivals that are made up: no test here waits for anything."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtag.sources.capture import CaptureClock, LivePieces
from streamtag.sources.feed import Piece
from streamtag.sources.microphone import microphone_clock

RATE = 100
PATCH_SECONDS = 0.96


def network_clock() -> CaptureClock:
    """As network streams have it."""
    return CaptureClock(0.5, 2.0, 5.0)


@dataclass
class World:
    """Sound of which is known when it was captured and when it came."""

    step: float = 0.25
    now: float = 50.0
    arrivals: list[tuple[float, float, float]] = field(default_factory=list)
    """Of each run: when it came, how long it is, when its last sample was captured."""

    def plays(self, seconds: float, speed: float = 1.0) -> "World":
        """Sound comes as it is captured, by a clock that runs `speed` times as fast as this machine's."""
        for _ in range(round(seconds * speed / self.step)):
            self.now += self.step / speed
            self.arrivals.append((self.now, self.step, self.now))
        return self

    def pauses(self, seconds: float) -> "World":
        """Nothing is captured."""
        self.now += seconds
        return self

    def is_held_up(self, seconds: float) -> "World":
        """What is captured waits on its way, and then comes at once."""
        begin = self.now
        self.plays(seconds)
        late = [run for run in self.arrivals if run[2] > begin]
        self.arrivals[len(self.arrivals) - len(late) :] = [(self.now, length, end) for _, length, end in late]
        return self

    def comes_in_lumps(self, seconds: float, lump: float, late: tuple[float, ...] = (0.0,)) -> "World":
        """Each `lump` comes at once with its end, or later."""
        for number in range(round(seconds / lump)):
            begin = self.now
            arrival = begin + lump + late[number % len(late)]
            for place in range(1, round(lump / self.step) + 1):
                self.arrivals.append((arrival, self.step, begin + place * self.step))
            self.now = begin + lump
        return self


@dataclass
class Heard:
    pieces: list[Piece]
    truth: list[float]
    """When the last sample of each piece was captured."""
    waiting: int

    @property
    def worst(self) -> float:
        return max(abs(piece.captured - truth) for piece, truth in zip(self.pieces, self.truth, strict=False))

    @property
    def lost(self) -> list[float]:
        return [piece.lost_seconds for piece in self.pieces if piece.lost_seconds]

    @property
    def accounted(self) -> float:
        return sum(piece.seconds + piece.lost_seconds for piece in self.pieces)


def hear(world: World, clock: CaptureClock) -> Heard:
    return listen(world, lambda piece: clock.feed(piece, piece.captured))


def hear_lumps(world: World) -> Heard:
    return listen(world, LivePieces(0.0, CaptureClock(0.5, 2.0, 15.0), 15.0).feed)


def listen(world: World, feed: Callable[[Piece], list[Piece]]) -> Heard:
    pieces: list[Piece] = []
    for number, (arrival, seconds, _) in enumerate(world.arrivals):
        sound = np.full((round(seconds * RATE), 1), number, np.float32)
        pieces += feed(Piece(sound, RATE, 0.0, arrival))
    assert [piece.samples[0, 0] for piece in pieces] == list(range(len(pieces)))
    return Heard(pieces, [run[2] for run in world.arrivals], len(world.arrivals) - len(pieces))


EPISODES = st.one_of(
    st.tuples(st.just("plays"), st.floats(1, 300), st.floats(0.97, 1.0)),
    st.tuples(st.just("pauses"), st.floats(0, 30)),
    st.tuples(st.just("is_held_up"), st.floats(0, 20)),
)


@settings(max_examples=25)
@given(st.lists(EPISODES, max_size=20), st.sampled_from([network_clock, microphone_clock]))
def test_what_is_heard_and_lost_and_waits_is_what_has_passed(episodes: list[tuple], make: object) -> None:  # type: ignore[type-arg]
    world = World(step=0.04 if make is microphone_clock else 0.25).plays(10)
    for name, *values in episodes:
        getattr(world, name)(*values)
    world.plays(10)
    heard = hear(world, make())  # type: ignore[operator]
    assert heard.worst < 1.0
    elapsed = world.now - 50.0
    waiting = heard.waiting * world.step
    assert heard.accounted + waiting == pytest.approx(elapsed, abs=PATCH_SECONDS)


@settings(max_examples=25)
@given(st.lists(EPISODES, max_size=10), st.floats(1.0, 2.0))
def test_a_fast_sender_is_never_ahead_of_the_clock(episodes: list[tuple], speed: float) -> None:  # type: ignore[type-arg]
    world = World().plays(60, speed)
    for name, *values in episodes:
        getattr(world, name)(*values)
    world.plays(60, speed)
    heard = hear(world, network_clock())
    arrivals = [run[0] for run in world.arrivals]
    for piece, arrival in zip(heard.pieces, arrivals, strict=False):
        assert piece.captured <= arrival + 1e-6
    assert abs(heard.pieces[-1].captured - heard.truth[len(heard.pieces) - 1]) < 1.0


@pytest.mark.parametrize("speed", [0.98, 0.995, 0.9999, 1.0001, 1.005, 1.02])
def test_an_hour_of_a_sender_with_another_clock_is_on_time(speed: float) -> None:
    world = World().plays(3600, speed)
    heard = hear(world, network_clock())
    assert heard.worst < 1.0
    surplus = max(0.0, 3600 * (speed - 1))
    assert heard.accounted + heard.waiting * world.step == pytest.approx(3600 + surplus, abs=PATCH_SECONDS)


def test_a_clock_as_good_as_clocks_are_loses_nothing() -> None:
    assert hear(World().plays(7200, 0.9999), network_clock()).lost == []
    assert hear(World(step=0.04).plays(7200, 0.9999), microphone_clock()).lost == []


@pytest.mark.parametrize("seconds", [0.8, 3.0, 9.0])
def test_a_pause_is_lost_once_and_where_it_was(seconds: float) -> None:
    heard = hear(World().plays(20).pauses(seconds).plays(20), network_clock())
    assert heard.lost == [pytest.approx(seconds, abs=0.05)]
    assert heard.pieces[80].lost_seconds > 0
    assert heard.waiting == 0


def test_two_pauses_shortly_after_each_other_are_lost_where_they_were() -> None:
    heard = hear(World().plays(20).pauses(3).plays(1).pauses(4).plays(20), network_clock())
    assert [(number, round(piece.lost_seconds)) for number, piece in enumerate(heard.pieces) if piece.lost_seconds] == [
        (80, 3),
        (84, 4),
    ]


@pytest.mark.parametrize("seconds", [0.8, 3.0, 9.0, 40.0])
def test_what_was_held_up_and_comes_at_once_is_not_lost(seconds: float) -> None:
    heard = hear(World().plays(20).is_held_up(seconds).plays(20), network_clock())
    assert heard.lost == []
    assert heard.worst < 0.1


@pytest.mark.parametrize("lump", [1.0, 2.0, 6.0, 10.0])
def test_lumps_lose_nothing_and_were_captured_evenly(lump: float) -> None:
    heard = hear_lumps(World().comes_in_lumps(300, lump, (0.0, 0.4, 0.1)))
    assert heard.lost == []
    assert heard.waiting == 0
    assert heard.worst < 0.5


def test_a_lump_that_is_late_and_followed_by_one_that_is_early_lost_nothing() -> None:
    world = World().comes_in_lumps(60, 6.0).comes_in_lumps(12, 6.0, (6.0, 3.0)).comes_in_lumps(60, 6.0)
    assert hear(world, CaptureClock(0.5, 2.0, 15.0)).lost == []


def test_a_pause_between_lumps_is_lost_once() -> None:
    world = World().comes_in_lumps(60, 6.0).pauses(8.0).comes_in_lumps(60, 6.0)
    heard = hear_lumps(world)
    assert heard.lost == [pytest.approx(8.0, abs=0.1)]
    assert heard.worst < 0.2


def test_lumps_that_are_found_late_and_early_by_turns_lose_nothing() -> None:
    clock = CaptureClock(0.4, 2.0, 15.0)
    lost = 0.0
    for number, (arrival, seconds, _) in enumerate(World().comes_in_lumps(600, 2.0).arrivals):
        late = 0.1 * min(number // 8 % 20, 20 - number // 8 % 20)
        piece = Piece(np.zeros((round(seconds * RATE), 1), np.float32), RATE, 0.0, arrival + late)
        lost += sum(each.lost_seconds for each in clock.feed(piece, arrival + late, earliest=arrival - 0.1))
    assert lost == 0.0


def test_what_was_found_late_is_lost_as_much_as_it_surely_is() -> None:
    clock = CaptureClock(0.4, 2.0, 15.0)
    pieces: list[Piece] = []
    for arrival, seconds, _ in World().comes_in_lumps(60, 2.0).pauses(5.0).comes_in_lumps(60, 2.0).arrivals:
        uncertain = 1.5 if 61.0 < arrival - 50.0 < 68.0 else 0.1  # the first look after the pause comes late
        piece = Piece(np.zeros((round(seconds * RATE), 1), np.float32), RATE, 0.0, arrival + uncertain)
        pieces += clock.feed(piece, arrival + uncertain, earliest=arrival)
    assert [piece.lost_seconds for piece in pieces if piece.lost_seconds] == [pytest.approx(5.0, abs=0.15)]


def test_small_losses_are_counted_together() -> None:
    world = World(step=0.04)
    for _ in range(100):
        world.plays(2.0).pauses(0.1)
    heard = hear(world, microphone_clock())
    assert sum(heard.lost) == pytest.approx(10.0, abs=0.3)


def test_what_the_driver_says_is_lost_is_lost_though_it_is_little() -> None:
    clock = microphone_clock()
    world = World(step=0.04).plays(2).pauses(0.12).plays(4)
    lost = []
    for number, (arrival, seconds, _) in enumerate(world.arrivals):
        piece = Piece(np.zeros((round(seconds * RATE), 1), np.float32), RATE, 0.0, arrival)
        lost += [each.lost_seconds for each in clock.feed(piece, arrival, flagged=number == 50)]
    assert [each for each in lost if each] == [pytest.approx(0.12, abs=0.01)]


def test_what_the_driver_says_is_lost_though_nothing_is_late_is_not() -> None:
    clock = microphone_clock()
    lost = 0.0
    for arrival, seconds, _ in World(step=0.04).plays(60).arrivals:
        piece = Piece(np.zeros((round(seconds * RATE), 1), np.float32), RATE, 0.0, arrival)
        lost += sum(each.lost_seconds for each in clock.feed(piece, arrival, flagged=True))
    assert lost == 0.0


def test_what_is_dropped_on_our_side_is_lost_as_it_is_told() -> None:
    clock = network_clock()
    heard = []
    for number, (arrival, seconds, _) in enumerate(World().plays(60).arrivals):
        if 100 <= number < 140:  # dropped
            continue
        told = 10.0 if number == 140 else 0.0
        piece = Piece(np.zeros((round(seconds * RATE), 1), np.float32), RATE, told, arrival)
        heard += clock.feed(piece, arrival)
    assert [piece.lost_seconds for piece in heard if piece.lost_seconds] == [10.0]
    assert heard[-1].captured == pytest.approx(110.0, abs=0.01)


def test_a_pause_of_our_own_is_not_lost() -> None:
    clock = network_clock()
    world = World().plays(20).pauses(8.0).plays(20)
    lost = 0.0
    for number, (arrival, seconds, _) in enumerate(world.arrivals):
        if number == 80:
            clock.delay(8.0)
        piece = Piece(np.zeros((round(seconds * RATE), 1), np.float32), RATE, 0.0, arrival)
        lost += sum(each.lost_seconds for each in clock.feed(piece, arrival))
    assert lost == 0.0


def test_the_end_lets_go_of_what_was_held_back() -> None:
    clock = network_clock()
    world = World().plays(20).pauses(5.0).plays(1)
    heard = hear(world, clock)
    assert heard.waiting == 4
    rest = clock.finish()
    assert [piece.lost_seconds for piece in rest] == [pytest.approx(5.0, abs=0.05), 0.0, 0.0, 0.0]
    assert rest[-1].captured == pytest.approx(world.now, abs=0.1)
    assert clock.finish() == []


def settled(times_and_seconds: list[tuple[float, float]], began: float = 0.0) -> list[Piece]:
    """What comes out of sound given as (time of arrival, length), each piece filled with its number."""
    live = LivePieces(began, network_clock(), 5.0)
    settled: list[Piece] = []
    for number, (arrival, seconds) in enumerate(times_and_seconds):
        settled += live.feed(Piece(np.full((round(seconds * RATE), 1), number, np.float32), RATE, 0.0, arrival))
    return settled + live.finish()


def length(pieces: list[Piece]) -> float:
    return sum(piece.seconds for piece in pieces)


def test_a_burst_of_old_audio_is_dropped() -> None:
    burst = [(0.1, 0.1)] * 80
    live = [(0.1 + 0.1 * i, 0.1) for i in range(1, 20)]
    kept = settled(burst + live)
    assert length(kept) == pytest.approx(2.0 + 0.5, abs=0.15)
    assert kept[-1].samples[0, 0] == len(burst + live) - 1


def test_a_burst_that_takes_a_while_to_come_is_dropped_too() -> None:
    burst = [(0.1 + 0.02 * i, 0.1) for i in range(80)]
    live = [(1.7 + 0.1 * i, 0.1) for i in range(1, 40)]
    kept = settled(burst + live)
    assert length(kept) == pytest.approx(5.6 + 0.5, abs=0.3)
    assert kept[-1].captured == pytest.approx(live[-1][0], abs=0.15)


def test_a_stream_without_a_burst_is_kept_whole() -> None:
    assert length(settled([(0.3 + 0.1 * i, 0.1) for i in range(20)])) == pytest.approx(2.0)


def test_what_comes_fast_for_ever_comes_out_after_a_while() -> None:
    assert length(settled([(0.1 + 0.01 * i, 0.1) for i in range(1000)])) > 40.0


def test_lumps_of_a_second_are_kept_and_were_captured_evenly() -> None:
    pieces = settled([(1.0 + second, 0.1) for second in range(4) for _ in range(10)])
    assert length(pieces) == pytest.approx(4.0)
    captured = np.array([piece.captured for piece in pieces])
    np.testing.assert_allclose(np.diff(captured), 0.1, atol=0.005)
    assert captured[-1] == pytest.approx(4.0, abs=0.01)


def test_nothing_comes_out_of_a_server_that_only_repeats_its_store() -> None:
    assert settled([(0.1, 0.1)] * 60) == []


def test_a_heap_was_captured_one_after_the_other() -> None:
    captured = [piece.captured for piece in settled([(0.2, 0.1)] * 5 + [(0.8, 0.1)])]
    assert captured == pytest.approx([-0.2, -0.1, 0.0, 0.1, 0.2, 0.3], abs=0.01)
