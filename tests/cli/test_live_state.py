from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamtag.cli.live_state import Board, LiveState
from streamtag.wire import Message

LABELS = ["Speech", "Music", "Dog", "Rain", "Siren"]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def scores(start: float, **scores: float) -> Message:
    patch = np.array([scores.get(label, 0.0) for label in LABELS], np.float32)
    header = {"kind": "scores", "stream": "demo", "start": start, "end": start + 0.96, "rolling": 5}
    return Message({**header, "rms_dbfs": -20.0, "peak_dbfs": -10.0}, patch, patch)


def event(number: int, label: str, onset: float, offset: float | None = None) -> Message:
    header = {"kind": "event", "stream": "demo", "id": number, "label": label, "index": LABELS.index(label)}
    return Message({**header, "onset": onset, "offset": offset, "peak": 0.9})


def names(state: LiveState) -> list[str | None]:
    return [None if row is None else row.label for row in state.board.rows]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(clock: Clock) -> LiveState:
    return LiveState("demo", LABELS, 3, clock)


def test_labels_come_in_by_their_score_and_only_those_worth_showing(state: LiveState) -> None:
    state.update(scores(0.0, Music=0.4, Dog=0.9, Rain=0.02))
    assert names(state) == ["Dog", "Music", None]


def test_rows_move_when_their_order_is_clearly_wrong_and_then_rest(state: LiveState, clock: Clock) -> None:
    state.update(scores(0.0, Music=0.4, Dog=0.5))
    state.update(scores(0.96, Music=0.6, Dog=0.5))
    assert names(state) == ["Dog", "Music", None]
    state.update(scores(1.92, Music=0.9, Dog=0.5))
    assert names(state) == ["Music", "Dog", None]
    clock.now += 2
    state.update(scores(2.88, Music=0.1, Dog=0.5))
    assert names(state) == ["Music", "Dog", None]
    clock.now += 2
    state.update(scores(3.84, Music=0.1, Dog=0.5))
    assert names(state) == ["Dog", "Music", None]
    state.update(scores(4.8, Music=0.9, Dog=0.1))
    assert names(state) == ["Music", "Dog", None]  # far stronger: that does not wait


def test_what_has_faded_leaves_no_gap(state: LiveState, clock: Clock) -> None:
    state.update(scores(0.0, Music=0.4, Dog=0.5))
    clock.now += 3
    state.update(scores(0.96, Music=0.4))
    assert names(state) == ["Music", None, None]
    state.update(scores(1.92, Music=0.4, Siren=0.5))
    assert names(state) == ["Music", "Siren", None]


def test_a_much_stronger_label_takes_the_row_of_the_weakest(state: LiveState) -> None:
    state.update(scores(0.0, Music=0.4, Dog=0.9, Rain=0.3))
    state.update(scores(0.96, Music=0.4, Dog=0.9, Rain=0.3, Siren=0.45))
    assert names(state) == ["Dog", "Music", "Rain"]
    state.update(scores(1.92, Music=0.4, Dog=0.9, Rain=0.3, Siren=0.8))
    assert names(state) == ["Dog", "Siren", "Music"]


@given(st.lists(arrays(np.float32, 5, elements=st.floats(0, 1, width=32)), max_size=12), st.integers(1, 6))
def test_no_label_is_on_the_board_twice_or_below_a_far_weaker_one(patches: list[np.ndarray], rows: int) -> None:
    board = Board(LABELS, rows)
    for now, patch in enumerate(patches):
        board.update(patch, patch, float(now))
        shown = [row for row in board.rows if row is not None]
        assert len({row.label for row in shown}) == len(shown)
        assert len(board.rows) == rows
        assert all(below.strength < above.strength + 0.6 for above, below in combinations(shown, 2))


def test_bars_follow_the_scores_smoothly_and_arrive(state: LiveState, clock: Clock) -> None:
    state.update(scores(0.0, Dog=0.9))
    row = state.board.rows[0]
    assert row is not None
    lengths = []
    for _ in range(10):
        clock.now += 0.1
        state.ease()
        lengths.append(row.shown)
    assert lengths == sorted(lengths)
    assert 0 < lengths[0] < 0.9
    assert lengths[-1] == pytest.approx(0.9, abs=0.01)


def test_an_event_is_on_until_its_end_comes(state: LiveState) -> None:
    state.update(event(0, "Dog", 1.92))
    assert state.open_labels == {2}
    state.update(event(1, "Dog", 4.8))
    state.update(event(0, "Dog", 1.92, 3.84))
    assert state.open_labels == {2}
    state.update(event(1, "Dog", 4.8, 5.76))
    assert state.open_labels == set()
    assert [each.offset for each in state.events.values()] == [3.84, 5.76]
    assert list(state.heard) == ["Dog"]


def test_the_list_of_events_does_not_grow_for_ever(state: LiveState) -> None:
    for number in range(1000):
        state.update(event(number, "Dog", float(number), number + 0.5))
    assert len(state.events) == 50
    assert max(state.events) == 999


def test_between_patches_the_position_goes_on_by_the_clock_while_the_stream_is_live(
    state: LiveState, clock: Clock
) -> None:
    status = {"kind": "status", "stream": "demo", "state": "live", "reason": "", "dropped_patches": 0}
    state.update(Message(status))
    state.update(scores(9.6))
    clock.now += 0.5
    assert state.position == pytest.approx(11.06)
    state.update(Message({**status, "state": "stalled", "reason": "no audio for 10 s"}))
    assert state.position == pytest.approx(10.56)


def test_other_streams_are_left_out(state: LiveState) -> None:
    message = event(0, "Dog", 1.0)
    state.update(Message({**message.header, "stream": "yard"}))
    assert not state.events


def test_a_peak_stays_in_view_until_a_higher_one_comes_or_it_is_old(state: LiveState, clock: Clock) -> None:
    def levels(peak: float) -> Message:
        return Message({"kind": "levels", "stream": "demo", "rms_dbfs": -30.0, "peak_dbfs": peak})

    for peak, seconds, expected in [(-12.0, 0.1, -12.0), (-20.0, 0.1, -12.0), (-6.0, 1.0, -6.0), (-20.0, 1.0, -20.0)]:
        clock.now += seconds
        if peak == expected == -20.0:
            clock.now += 1.0
        state.update(levels(peak))
        assert state.peak_dbfs == expected
