"""Alerts on a history: the same rules, over what was."""

import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.alerts.replay import can_be_replayed, replay, replay_history
from streamtag.history import HistoryReader, StoredEvent
from streamtag.history.store import Begin, End, Store
from streamtag.settings import AlertSettings, HistorySettings

NOW = 1_780_315_200.0


def stored(
    number: int, label: str, begin: float, end: float | None, *, peak: float = 0.9, is_on: bool = False
) -> StoredEvent:
    return StoredEvent(number, "porch", label, NOW + begin, begin, end, peak, False, is_on)


def alert(**settings: object) -> AlertSettings:
    return AlertSettings(**{"name": "dog", "when": "Dog", "cooldown_seconds": 0.0, **settings})  # type: ignore[arg-type]


def test_what_would_have_been_told_is_found_in_events_of_any_order() -> None:
    events = [stored(3, "Dog", 100, 104), stored(1, "Dog", 0, 2), stored(2, "Speech", 98, 101)]
    found = replay(events, [alert(unless=("Speech",))], None, until=NOW + 200)
    assert [(each.onset.wall - NOW, each.reason) for each in found] == [(0, ""), (100, "Speech was heard too")]


def test_an_event_that_goes_on_has_lasted_until_now() -> None:
    (told,) = replay([stored(1, "Dog", 0, None, is_on=True)], [alert(for_seconds=60.0)], None, until=NOW + 90)
    assert told.is_told
    assert 60 <= told.moment.wall - NOW <= 61
    assert replay([stored(1, "Dog", 0, None, is_on=True)], [alert(for_seconds=60.0)], None, until=NOW + 30) == []


def test_one_whose_end_nobody_heard_is_as_short_as_can_be() -> None:
    (held,) = replay([stored(1, "Dog", 0, None)], [alert(for_seconds=60.0)], None, until=NOW + 90)
    assert held.reason == "it lasted 1.0 s of 60 s"


def test_levels_and_states_are_in_no_history() -> None:
    others = [AlertSettings(name="a", when="level", on=-20.0), AlertSettings(name="b", when="state", on=("failed",))]
    assert not any(map(can_be_replayed, others))
    assert replay([stored(1, "Dog", 0, 1)], others, None, until=NOW) == []


@given(st.lists(st.tuples(st.floats(0, 5000), st.floats(0.5, 100)), max_size=20), st.sampled_from([0.0, 100.0, 1000.0]))
def test_the_cooldown_holds_over_a_history_too(events: list[tuple[float, float]], cooldown: float) -> None:
    kept, free = [], 0.0
    for number, (begin, length) in enumerate(sorted(events)):
        if begin >= free:
            kept.append(stored(number, "Dog", begin, begin + length))
            free = begin + length + 1
    found = replay(kept, [alert(cooldown_seconds=cooldown)], None, until=NOW + 6000)
    told = [each.moment.wall for each in found if each.is_told]
    assert all(after - before >= cooldown for before, after in pairwise(told))
    assert bool(told) == bool(kept)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A bark a minute, for the last hour."""
    path = tmp_path / "history.sqlite"
    store = Store(path, HistorySettings(path=str(path)))
    now = time.time()
    for number in range(60):
        onset = 60.0 * number
        store.write([Begin(number, "porch", "Dog", now - 3600 + onset, onset, 0.9), End(number, onset + 2, 0.95)])
    store.close()
    return path


def test_what_was_told_before_the_time_that_is_asked_for_holds_back_what_is_in_it(history: Path) -> None:
    now = time.time()
    alerts = [alert(cooldown_seconds=1800.0)]
    found = replay_history(HistoryReader(history), alerts, None, since=now - 1000, until=now)
    assert found.decisions
    assert not any(each.is_told for each in found.decisions)
    found = replay_history(HistoryReader(history), alerts, None, since=now - 7200, until=now)
    assert sum(each.is_told for each in found.decisions) == 2


def test_of_very_many_events_the_newest_are_looked_at_and_that_is_told(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamtag.alerts.replay.MOST_EVENTS", 10)
    now = time.time()
    found = replay_history(HistoryReader(history), [alert()], None, since=now - 7200, until=now)
    assert (len(found.decisions), found.is_whole) == (10, False)
    assert replay_history(HistoryReader(history), [alert()], None, since=now - 120, until=now).is_whole
