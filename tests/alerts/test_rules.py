"""The rules of alerts, on what is made up: by hand, and at random."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.alerts import AlertRules, Decision, Moment, wanted_kinds
from streamtag.daytime import is_within
from streamtag.settings import AlertSettings

NOON = 1_780_315_200.0  # of a Monday in June, in Europe
ALERT = AlertSettings(name="dog", when="Dog", cooldown_seconds=0.0)


def moment(seconds: float, wall: float = NOON) -> Moment:
    return Moment(seconds, wall + seconds)


class Run:
    """Rules, and what they told; events are written `(label, begin, end)` or with a peak behind."""

    def __init__(self, **settings: Any) -> None:
        self.rules = AlertRules([AlertSettings(**{"name": "it", "when": "Dog", "cooldown_seconds": 0.0, **settings})])
        self.decisions: list[Decision] = []

    def hear(self, *events: tuple[Any, ...], stream: str = "porch") -> "Run":
        steps = []
        for label, begin, end, *peak in events:
            score = peak[0] if peak else 0.9
            steps += [(begin, False, label, score), (end, True, label, score)]
        last = 0.0
        for at, is_end, label, score in sorted(steps):
            self.look_until(last, at)
            last = at
            if is_end:
                self.decisions += self.rules.end(stream, label, score, moment(at), moment(at))
            else:
                self.rules.begin(stream, label, score, moment(at), moment(at))
        self.look_until(last, last + 1)
        return self

    def look_until(self, begin: float, end: float) -> None:
        at = begin + 0.5
        while at < end:
            self.decisions += self.rules.look(moment(at))
            at += 0.5

    @property
    def told(self) -> list[float]:
        return [round(decision.onset.at, 2) for decision in self.decisions if decision.is_told]

    @property
    def reasons(self) -> list[str]:
        return [decision.reason for decision in self.decisions if not decision.is_told]


def test_an_event_is_told_once() -> None:
    run = Run().hear(("Dog", 1, 9), ("Cat", 2, 3), ("Dog", 20, 21))
    assert run.told == [1, 20]
    assert run.reasons == []


def test_one_of_another_stream_is_not_told_where_streams_are_named() -> None:
    assert Run(streams=("yard",)).hear(("Dog", 1, 9)).decisions == []


def test_an_event_is_told_once_its_score_is_high_enough() -> None:
    run = Run(on=0.8).hear(("Dog", 1, 3, 0.7), ("Dog", 11, 13, 0.8))
    assert run.told == [11]
    assert run.reasons == ["its score of 0.70 stayed below 0.8"]
    run = Run(on=0.8)
    run.rules.begin("porch", "Dog", 0.6, moment(1), moment(2))
    assert run.rules.look(moment(3)) == []
    run.rules.rise("porch", "Dog", 0.9, moment(4))
    (told,) = run.rules.look(moment(4))
    assert (told.is_told, told.value) == (True, 0.9)


def test_what_has_to_last_is_told_once_it_has() -> None:
    run = Run(for_seconds=10).hear(("Dog", 0, 9), ("Dog", 20, 30), ("Dog", 40, 100))
    assert run.told == [20, 40]
    assert [round(decision.moment.at) for decision in run.decisions if decision.is_told] == [30, 50]
    assert run.reasons == ["it lasted 9.0 s of 10 s"]


def test_an_end_that_is_not_known_yet_is_waited_for() -> None:
    run = Run(for_seconds=10)
    run.rules.begin("porch", "Dog", 0.9, moment(0), moment(1), tail=3.0)
    assert run.rules.look(moment(12.5)) == []
    (held,) = run.rules.end("porch", "Dog", 0.9, moment(9.5), moment(12.6))
    assert held.reason == "it lasted 9.5 s of 10 s"


def test_so_many_onsets_in_so_many_seconds() -> None:
    events = [("Dog", at, at + 1) for at in (0, 10, 100, 110, 120, 130, 140, 150)]
    run = Run(count=3, within_seconds=60).hear(*events)
    assert run.told == [120, 150]  # those that were told of count no more
    assert run.reasons[:3] == ["1 of 3 in 60 s", "2 of 3 in 60 s", "1 of 3 in 60 s"]


@pytest.mark.parametrize("speech", [(0.0, 3.0), (10.0, 12.0), (10.3, 30.0), (2.0, 4.0)])
def test_nothing_is_told_while_another_label_is_heard_or_was_a_moment_ago(speech: tuple[float, float]) -> None:
    run = Run(unless=("Speech",), unless_seconds=10).hear(("Dog", 10, 12), ("Speech", *speech))
    assert run.told == []
    assert run.reasons == ["Speech was heard too"]


def test_it_is_told_once_the_other_label_is_long_enough_gone() -> None:
    run = Run(unless=("Speech",), unless_seconds=5).hear(("Speech", 0, 12), ("Dog", 10, 30))
    (told,) = run.decisions
    assert told.is_told
    assert 17 <= told.moment.at <= 18


def test_another_label_in_another_stream_holds_nothing_back() -> None:
    run = Run(unless=("Speech",))
    run.rules.begin("yard", "Speech", 0.9, moment(0), moment(0))
    assert run.hear(("Dog", 1, 9)).told == [1]


def test_nothing_is_told_twice_within_the_cooldown_and_what_goes_on_after_it_is() -> None:
    run = Run(cooldown_seconds=60).hear(("Dog", 0, 1), ("Dog", 30, 31), ("Dog", 50, 90))
    assert run.told == [0, 50]
    assert run.reasons == ["within 60 s of the one before"]
    assert 60 <= run.decisions[-1].moment.at <= 61


def test_what_was_told_before_is_remembered() -> None:
    told = Decision("dog", "porch", "Dog", moment(0), moment(-5), 0.9, True, "")
    alert = AlertSettings(name="dog", when="Dog", cooldown_seconds=60.0)
    rules = AlertRules([alert], told=[told])
    rules.begin("porch", "Dog", 0.9, moment(-5), moment(10))  # still the same one
    assert rules.look(moment(100)) == []
    assert rules.end("porch", "Dog", 0.9, moment(100), moment(100)) == []
    rules.begin("porch", "Dog", 0.9, moment(101), moment(101))
    assert [decision.is_told for decision in rules.look(moment(102))] == [True]


def test_a_level_is_told_of_patches_in_a_row() -> None:
    alert = AlertSettings(name="loud", when="level", on=-20.0, for_seconds=2.0, cooldown_seconds=0.0)
    rules = AlertRules([alert])
    found: list[Decision] = []
    for index, dbfs in enumerate([-30, -10, -30, -20, -15, -12, -40]):
        found += rules.level("porch", dbfs, moment(index), moment(index + 1))
        found += rules.look(moment(index + 1))
    assert [(decision.is_told, decision.onset.at) for decision in found] == [(False, 1), (True, 3)]
    assert found[-1].value == -15  # the highest by then
    assert found[0].reason == "it lasted 1.0 s of 2 s"


def test_a_level_of_a_stream_that_falls_silent_is_over() -> None:
    rules = AlertRules([AlertSettings(name="loud", when="level", on=-20.0, for_seconds=60.0)])
    for second in range(10):
        rules.level("porch", -10.0, moment(second), moment(second + 1))
    (held,) = [decision for second in range(10, 90) for decision in rules.look(moment(second))]
    assert held.reason == "it lasted 10.0 s of 60 s"


def test_a_state_is_told_once_for_as_long_as_it_lasts() -> None:
    alert = AlertSettings(name="down", when="state", on=("reconnecting", "failed"), cooldown_seconds=0.0)
    rules = AlertRules([alert])
    found: list[Decision] = []
    for at, state in enumerate(["live", "reconnecting", "reconnecting", "failed", "live", "failed"]):
        found += rules.state("porch", state, moment(at), moment(at))
        found += rules.look(moment(at))
    assert [(decision.what, decision.onset.at) for decision in found] == [("reconnecting", 1), ("failed", 5)]


def test_what_a_gone_service_told_of_is_over() -> None:
    run = Run(for_seconds=60)
    run.rules.begin("porch", "Dog", 0.9, moment(0), moment(0))
    (held,) = run.rules.forget(moment(5))
    assert held.reason == "it lasted 5.0 s of 60 s"
    assert not run.rules.is_waiting


def test_only_what_alerts_go_by_is_asked_for() -> None:
    assert wanted_kinds([ALERT]) == {"service", "event"}
    assert "scores" in wanted_kinds([AlertSettings(name="a", when="Dog", on=0.5)])
    assert "scores" in wanted_kinds([AlertSettings(name="a", when="level", on=-20.0)])
    assert "status" in wanted_kinds([AlertSettings(name="a", when="state", on=("failed",))])


@dataclass(frozen=True)
class Heard:
    """An event, some seconds after the one before began."""

    after: float
    length: float
    label: str
    stream: str
    peak: float


HEARD = st.builds(
    Heard,
    st.floats(0.0, 400.0),
    st.floats(0.1, 200.0),
    st.sampled_from(["Dog", "Speech"]),
    st.sampled_from(["porch", "yard"]),
    st.floats(0.5, 1.0),
)
ALERTS = st.builds(
    AlertSettings,
    name=st.just("it"),
    when=st.just("Dog"),
    on=st.sampled_from([None, 0.7]),
    for_seconds=st.sampled_from([0.0, 5.0, 50.0]),
    unless=st.sampled_from([(), ("Speech",)]),
    cooldown_seconds=st.sampled_from([0.0, 30.0, 300.0]),
)
COUNTED = st.builds(
    AlertSettings,
    name=st.just("it"),
    when=st.just("Dog"),
    count=st.integers(1, 4),
    within_seconds=st.sampled_from([30.0, 300.0]),
    cooldown_seconds=st.sampled_from([0.0, 100.0]),
)


def decide(alert: AlertSettings, heard: Iterable[Heard], walls: Iterable[float]) -> tuple[list[Decision], list[Any]]:
    """Hear events, and look every second; the clock of the day is set anew before each of them."""
    rules = AlertRules([alert])
    steps: list[tuple[float, int, Heard, float]] = []
    begin, free = 0.0, dict[tuple[str, str], float]()
    for number, event in enumerate(heard):
        begin = max(begin + event.after, free.get((event.stream, event.label), 0.0))
        free[event.stream, event.label] = begin + event.length + 0.001
        steps += [(begin, 2 * number, event, begin), (begin + event.length, 2 * number + 1, event, begin)]
    found: list[Decision] = []
    at, shifts = 0.0, iter(walls)
    shift = 0.0
    for when, order, event, _ in sorted(steps, key=lambda step: step[:2]):
        while at < when:
            found += rules.look(Moment(at, NOON + shift + at))
            at += 1.0
        shift = next(shifts, shift)
        now = Moment(when, NOON + shift + when)
        if order % 2:
            found += rules.end(event.stream, event.label, event.peak, now, now)
        else:
            rules.begin(event.stream, event.label, event.peak, now, now)
    found += rules.look(Moment(at, NOON + shift + at))
    return found, steps


SETS = st.lists(st.sampled_from([0.0, 3600.0, -3600.0, 86_400.0, -7.5]), max_size=10)


@given(ALERTS | COUNTED, st.lists(HEARD, max_size=25), SETS)
def test_never_two_within_the_cooldown(alert: AlertSettings, heard: list[Heard], sets: list[float]) -> None:
    told = [decision.moment.at for decision in decide(alert, heard, sets)[0] if decision.is_told]
    for before, after in pairwise(told):
        assert after - before >= alert.cooldown_seconds


@given(ALERTS | COUNTED, st.lists(HEARD, max_size=25), SETS)
def test_what_is_told_does_not_depend_on_how_the_clock_of_the_day_is_set(
    alert: AlertSettings, heard: list[Heard], sets: list[float]
) -> None:
    shifted, _ = decide(alert, heard, sets)
    even, _ = decide(alert, heard, [])
    assert [(each.moment.at, each.stream, each.reason) for each in shifted] == [
        (each.moment.at, each.stream, each.reason) for each in even
    ]


@given(
    st.lists(HEARD, max_size=25), SETS, st.sampled_from([("22:00", "06:30"), ("06:30", "22:00"), ("12:10", "12:20")])
)
def test_nothing_is_told_outside_its_hours_however_the_clock_is_set(
    heard: list[Heard], sets: list[float], hours: tuple[str, str]
) -> None:
    alert = AlertSettings(name="it", when="Dog", cooldown_seconds=0.0, between=hours)
    for decision in decide(alert, heard, sets)[0]:
        if decision.is_told:
            assert is_within(hours, decision.moment.wall)
        else:
            assert decision.reason == f"not between {hours[0]} and {hours[1]}"


@given(ALERTS | COUNTED, st.lists(HEARD, max_size=25))
def test_every_event_is_told_or_held_back_for_a_reason_once(alert: AlertSettings, heard: list[Heard]) -> None:
    found, steps = decide(alert, heard, [])
    onsets = sorted(begin for _, order, event, begin in steps if event.label == "Dog" and not order % 2)
    assert sorted(decision.onset.at for decision in found) == onsets
    assert all(decision.is_told == (decision.reason == "") for decision in found)


@given(ALERTS, st.lists(HEARD, max_size=25))
def test_what_is_told_lasted_and_was_sure_enough_and_nobody_spoke(alert: AlertSettings, heard: list[Heard]) -> None:
    found, steps = decide(alert, heard, [])
    events = {(begin, event.stream): event for _, _, event, begin in steps if event.label == "Dog"}
    speech = [(begin, begin + event.length, event.stream) for _, _, event, begin in steps if event.label == "Speech"]
    for decision in found:
        event = events[decision.onset.at, decision.stream]
        if decision.is_told:
            assert decision.moment.at - decision.onset.at >= alert.for_seconds - 0.001
            assert alert.on is None or event.peak >= alert.on
            if alert.unless:
                at = decision.moment.at
                assert not any(
                    begin < at - 0.5 and at < end + 10.0 - 0.001
                    for begin, end, stream in speech
                    if stream == decision.stream
                )
