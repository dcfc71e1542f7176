import threading
import time
from collections.abc import Callable
from dataclasses import replace
from queue import SimpleQueue

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtag.audio.block import Block
from streamtag.errors import SourceError
from streamtag.sources.feed import Feed, Lost, Piece
from streamtag.sources.live_source import LiveSource, next_delay
from streamtag.sources.source import Timeouts
from streamtag.sources.timeline import now

FAST = Timeouts(open_seconds=20, read_seconds=20, first_delay=0.01, longest_delay=0.03)
"""Tries again soon, but takes no connection for dead because the machine is slow."""
DAY = Timeouts()
NO_PAUSE = Timeouts(open_seconds=10_000, read_seconds=10_000, first_delay=0.0, longest_delay=0.0)


def put(feed: Feed, samples: int = 160, rate: int = 16000, lost_seconds: float = 0.0) -> None:
    feed.put(Piece(np.ones((samples, 2), np.float32), rate, lost_seconds, now()))


class Script:
    """Plays one step a connection; the last one stays open."""

    def __init__(self, *steps: Callable[[Feed], None]) -> None:
        self.steps = list(steps)
        self.states: list[tuple[str, str]] = []

    def __call__(self, feed: Feed) -> None:
        self.steps.pop(0)(feed)

    def source(self, timeouts: Timeouts = FAST) -> LiveSource:
        return LiveSource("test", self, timeouts, lambda state, reason: self.states.append((state, reason)))


def broken(feed: Feed) -> None:
    raise Lost("connection refused")


def two_blocks_then_broken(feed: Feed) -> None:
    put(feed)
    put(feed)
    raise Lost("the stream ended")


def one_block_then_silence(feed: Feed) -> None:
    put(feed)
    feed.closed.wait()


def recording(feed: Feed) -> None:
    put(feed)


@given(st.floats(0, 1e4), st.floats(0.01, 10), st.floats(1, 100), st.floats(0, 1))
def test_every_delay_is_between_the_first_and_the_longest(
    previous: float, first: float, span: float, where: float
) -> None:
    timeouts = Timeouts(first_delay=first, longest_delay=first * span)
    delay = next_delay(previous, timeouts, lambda low, high: low + where * (high - low))
    assert timeouts.first_delay <= delay <= timeouts.longest_delay


@given(st.lists(st.floats(0.5, 1), min_size=20, max_size=20))
def test_delays_grow_to_the_longest_while_nothing_comes(draws: list[float]) -> None:
    delay = 0.0
    for draw in draws:
        before, delay = delay, next_delay(delay, DAY, lambda low, high, draw=draw: low + draw * (high - low))  # type: ignore[misc]
        assert delay >= min(before, DAY.longest_delay)
    assert delay == DAY.longest_delay


def test_two_sources_of_one_server_do_not_come_back_in_the_same_instant() -> None:
    assert len({next_delay(4.0, DAY) for _ in range(10)}) == 10


def test_a_connection_that_breaks_is_made_again_and_the_outage_shows_as_a_jump() -> None:
    def broken_late(_: Feed) -> None:
        time.sleep(0.3)
        raise Lost("connection refused")

    script = Script(two_blocks_then_broken, broken_late, recording)
    blocks = list(script.source())
    assert [state for state, _ in script.states] == ["live", "reconnecting", "reconnecting", "live"]
    assert [reason for _, reason in script.states[:3]] == ["", "the stream ended", "connection refused"]
    assert [block.start for block in blocks[:2]] == [0, 160]
    assert blocks[2].start > 320 + 0.1 * 16000
    away = (blocks[2].time - blocks[1].time) - 160 / 16000
    assert blocks[2].start - 320 == pytest.approx(away * 16000, abs=320)  # both blocks came at once


def test_a_silent_connection_is_told_as_stalled_and_left_behind() -> None:
    left = threading.Event()

    def hang(feed: Feed) -> None:
        put(feed)
        feed.closed.wait()
        left.set()

    script = Script(hang, recording)
    assert len(list(script.source(replace(FAST, read_seconds=0.1)))) == 2
    assert script.states[1] == ("stalled", "no audio for 0.1 s")
    assert left.wait(60)


def test_a_connection_that_hangs_for_ever_does_not_hold_the_next_one_up() -> None:
    release = threading.Event()

    def hang(_: Feed) -> None:
        release.wait()

    script = Script(hang, *[recording] * 100)  # a slow machine gives up some of these
    assert len(list(script.source(replace(FAST, open_seconds=0.05, read_seconds=0.1)))) == 1
    release.set()


def test_a_new_rate_keeps_the_place_in_time() -> None:
    def slow(feed: Feed) -> None:
        put(feed, 8000, 8000)
        raise Lost("gone")

    script = Script(slow, lambda feed: put(feed, 480, 48000))
    first, second = script.source()
    assert (first.start, first.rate) == (0, 8000)
    assert second.rate == 48000
    assert second.start >= 48000


def test_lost_audio_within_a_connection_shows_as_a_jump() -> None:
    def lossy(feed: Feed) -> None:
        put(feed)
        put(feed, lost_seconds=0.5)

    assert [block.start for block in Script(lossy).source()] == [0, 160 + 8000]


def test_a_repeated_failure_is_told_once() -> None:
    script = Script(broken, broken, broken, recording)
    list(script.source())
    assert script.states == [("reconnecting", "connection refused"), ("live", "")]


def test_what_can_never_come_right_ends_the_source() -> None:
    def never(feed: Feed) -> None:
        raise SourceError("nonsense")

    with pytest.raises(SourceError, match="nonsense"):
        list(Script(never).source())


def test_an_error_that_nobody_foresaw_costs_one_connection_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def faulty(feed: Feed) -> None:
        put(feed)
        raise ZeroDivisionError("http://user:secret@host")

    script = Script(faulty, recording)
    assert len(list(script.source())) == 2
    assert [state for state, _ in script.states] == ["live", "reconnecting", "live"]
    assert script.states[1][1].startswith("internal error: ZeroDivisionError: http")
    assert "secret" not in script.states[1][1]
    assert "the thread connection to test failed: ZeroDivisionError" in caplog.text


def test_sound_that_cannot_be_decoded_for_an_unforeseen_reason_costs_one_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Odd(Piece):
        def pieces(self, dropped_seconds: float) -> list[Piece]:
            raise ZeroDivisionError

    def odd(feed: Feed) -> None:
        feed.put(Odd(np.ones((160, 2), np.float32), 16000, 0.0, time.monotonic()))
        feed.closed.wait()

    script = Script(odd, recording)
    assert len(list(script.source())) == 1
    assert [state for state, _ in script.states] == ["reconnecting", "live"]
    assert "what was received could not be used" in caplog.text


@pytest.mark.parametrize("step", [one_block_then_silence, lambda feed: time.sleep(10), broken])
def test_closing_from_another_thread_ends_the_iteration_at_once(step: Callable[[Feed], None]) -> None:
    script = Script(step)
    source = script.source(Timeouts(open_seconds=50, read_seconds=50, first_delay=50, longest_delay=50))
    reader = threading.Thread(target=lambda: list(source), daemon=True)
    reader.start()
    while script.steps:
        threading.Event().wait(0.01)
    source.close()
    reader.join(60)
    assert not reader.is_alive()


def test_a_closed_source_does_not_connect() -> None:
    script = Script(recording)
    with script.source() as source:
        source.close()
        assert list(source) == []
    assert len(script.steps) == 1


class Hands:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_what_pauses_is_stalled_by_the_clock_and_the_pause_is_a_jump() -> None:
    clock = Hands()
    feeds: SimpleQueue[Feed] = SimpleQueue()
    states: list[str] = []

    def connect(feed: Feed) -> None:
        feeds.put(feed)
        feed.closed.wait()

    source = LiveSource("test", connect, DAY, lambda state, reason: states.append(f"{state} {reason}"), clock)
    steps = source.steps()

    def play(feed: Feed) -> Block:
        feed.put(Piece(np.zeros((16000, 1), np.float32), 16000, 0.0, clock()))
        block = next(steps)
        assert isinstance(block, Block)
        return block

    assert next(steps) == 1020.0
    first = play(feeds.get(timeout=60))
    assert next(steps) == 1010.0
    clock.seconds += 25.0  # whether nothing came or the machine was suspended
    assert isinstance(next(steps), float)
    assert states == ["live ", "stalled no audio for 10 s"]
    clock.seconds += 60.0
    assert isinstance(next(steps), float)
    second = play(feeds.get(timeout=60))
    assert states[2:] == ["live back after 84.0 s"]
    assert second.start - first.start == 85 * 16000
    source.close()


@settings(max_examples=20)
@given(st.lists(st.tuples(st.floats(0.0, 0.3), st.floats(2.0, 10.0), st.floats(1.0, 30.0)), min_size=2, max_size=15))
def test_however_many_breaks_the_stream_keeps_its_place(connections: list[tuple[float, float, float]]) -> None:
    """Each connection's first sound seems later than it was, the more sound there is the less so."""
    clock = Hands()
    truth: list[float] = []

    def connect(feed: Feed) -> None:
        if not left:
            return
        late, seconds, away = left.pop(0)
        for lateness in (late, 0.0):
            clock.seconds += seconds
            truth.append(clock.seconds)
            feed.put(Piece(np.zeros((round(seconds * 100), 1), np.float32), 100, 0.0, clock.seconds + lateness))
        clock.seconds += away
        raise Lost("it broke")

    left = list(connections)
    source = LiveSource("test", connect, NO_PAUSE, lambda *_: None, clock)
    ends = [(block.start + len(block.samples)) / block.rate for block in source]
    passed = np.array(truth) - truth[0]
    assert np.abs(np.array(ends) - ends[0] - passed).max() < 0.3 + 0.01 * len(ends)


def test_what_was_held_back_is_heard_before_a_silent_connection_is_left_behind() -> None:
    def silent(feed: Feed) -> None:
        feed.finish = lambda: [Piece(np.zeros((160, 1), np.float32), 16000, 3.0, now())]
        put(feed)
        feed.closed.wait()

    blocks = list(Script(silent, recording).source(replace(FAST, open_seconds=0.1, read_seconds=0.1)))
    assert [block.start for block in blocks[:2]] == [0, 160 + 3 * 16000]
