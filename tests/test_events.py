"""Events against a second implementation that looks at one label at a time and counts in whole samples."""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamtag.events import Event, EventDetector, EventRules, Thresholds, thresholds_of
from streamtag.labels import LabelSet
from streamtag.settings import EventSettings, LabelThresholds

PATCH = 15360
SECOND = 16000
DOG = ["Dog"]


def seconds(value: float) -> Fraction:
    """What a person means by a number of seconds, such as 0.1."""
    return Fraction(str(value))


@dataclass
class OneLabel:
    """The rule as it is told: onset, last sample that reached `off`, and the next moment at which one may begin."""

    rule: Thresholds
    onset: Fraction | None = None
    last: Fraction = Fraction(0)
    peak: float = 0.0
    told: bool = False
    cool_until: Fraction = Fraction(0)
    events: list[tuple[str, Fraction, Fraction | None, float]] = field(default_factory=list)

    def patch(self, score: float, start: Fraction, end: Fraction) -> None:
        self.pass_time(start)
        on, off = np.float32(self.rule.on), np.float32(self.rule.off)
        if self.onset is None and score >= on and start >= self.cool_until:
            self.onset, self.told, self.peak = start, False, 0.0
        if self.onset is not None and score >= min(on, off):
            self.last, self.peak = end, max(self.peak, score)
            if not self.told and self.last - self.onset >= seconds(self.rule.min_seconds):
                self.told = True
                self.events.append(("on", self.onset, None, self.peak))
        self.pass_time(end)

    def pass_time(self, now: Fraction) -> None:
        quiet = now - self.last
        if self.onset is not None and quiet > 0 and quiet >= seconds(self.rule.hold_seconds):
            self.close()

    def close(self) -> None:
        if self.onset is not None and self.told:
            self.events.append(("off", self.onset, self.last, self.peak))
            self.cool_until = self.last + seconds(self.rule.cooldown_seconds)
        self.onset = None


times = st.sampled_from([0.0, 0.1, 0.5, 0.96, 1.0, 1.92, 2.0, 2.88, 4.8, 9.6, 10.0])
gaps = st.sampled_from([0, 1, 7680, 15360, 160_000])
levels = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.6, 0.9, 1.0])


@st.composite
def rules(draw: st.DrawFn) -> LabelThresholds:
    off, on = sorted(draw(st.tuples(levels, levels)))
    minimum, hold, cooldown = draw(st.tuples(times, times, times))
    return LabelThresholds(on=on, off=off, min_seconds=minimum, hold_seconds=hold, cooldown_seconds=cooldown)


@st.composite
def situations(draw: st.DrawFn) -> tuple[EventSettings, NDArray[np.float32], list[int]]:
    """Thresholds for three labels (the last one the default's), scores, and at which sample each patch starts."""
    default, of_a, of_b = draw(st.tuples(rules(), rules(), rules()))
    named = {key: getattr(default, key) for key in LabelThresholds.__struct_fields__}
    rows = draw(st.lists(st.tuples(levels, levels, levels, gaps), max_size=25))
    starts = list(accumulate((row[3] + PATCH for row in rows[1:]), initial=rows[0][3])) if rows else []
    scores = np.array([row[:3] for row in rows], np.float32).reshape(-1, 3)
    return EventSettings(labels={"A": of_a, "B": of_b}, **named), scores, starts


def detector_of(labels: list[str], settings: EventSettings) -> EventDetector:
    return EventDetector(EventRules(LabelSet(labels), settings))


def detect(detector: EventDetector, scores: NDArray[np.float32], starts: list[int]) -> list[Event]:
    events = []
    for row, start in zip(scores, starts, strict=True):
        events += detector.push(row, start / SECOND, (start + PATCH) / SECOND)
    return events


@settings(max_examples=200)
@given(situations())
def test_events_are_those_of_the_rule_as_it_is_told(
    situation: tuple[EventSettings, NDArray[np.float32], list[int]],
) -> None:
    rule, scores, starts = situation
    detector = detector_of(["A", "B", "C"], rule)
    found = detect(detector, scores, starts) + detector.finish()
    for index, label in enumerate("ABC"):
        one = OneLabel(thresholds_of(label, rule, {}))
        for row, start in zip(scores, starts, strict=True):
            one.patch(float(row[index]), Fraction(start, SECOND), Fraction(start + PATCH, SECOND))
        one.close()
        of_label = [event for event in found if event.label == label]
        assert [(event.state, event.onset, event.offset, event.peak) for event in of_label] == [
            (state, float(onset), None if offset is None else float(offset), peak)
            for state, onset, offset, peak in one.events
        ]
        assert {event.index for event in of_label} <= {index}


@given(situations())
def test_every_event_begins_once_ends_once_and_lasts(
    situation: tuple[EventSettings, NDArray[np.float32], list[int]],
) -> None:
    rule, scores, starts = situation
    detector = detector_of(["A", "B", "C"], rule)
    events = detect(detector, scores, starts) + detector.finish()
    assert detector.finish() == []
    began = [event for event in events if event.state == "on"]
    ended = {event.id: event for event in events if event.state == "off"}
    assert [event.id for event in began] == list(range(len(began)))  # in the order in which they are told
    assert sorted(ended) == list(range(len(began)))
    for on in began:
        off = ended[on.id]
        assert events.index(on) < events.index(off)
        assert on.offset is None
        assert off.offset is not None
        assert off.onset == on.onset < off.offset
        assert (off.label, off.index) == (on.label, on.index)
        assert off.peak >= on.peak
        rule_of_label = rule.labels.get(on.label, rule)
        assert off.offset - off.onset >= rule_of_label.min_seconds - 1e-4


@given(situations())
def test_no_event_outlives_silence(situation: tuple[EventSettings, NDArray[np.float32], list[int]]) -> None:
    rule, scores, starts = situation
    rule_of_silence = EventSettings(on=0.5, off=0.3, hold_seconds=rule.hold_seconds)
    detector = detector_of(["A", "B", "C"], rule_of_silence)
    events = detect(detector, scores, starts)
    begin = starts[-1] + PATCH if starts else 0
    quiet = [begin + index * PATCH for index in range(12)]
    events += detect(detector, np.zeros((12, 3), np.float32), quiet)
    assert detector.finish() == []
    assert sum(event.state == "on" for event in events) == sum(event.state == "off" for event in events)


def tell(rule: EventSettings, *scores: float, gap_before: int | None = None) -> list[Event]:
    """The events of one label; `gap_before` is the patch before which 10 s are lost."""
    detector = detector_of(DOG, rule)
    starts = [PATCH * index + (160_000 if gap_before is not None and index >= gap_before else 0) for index in range(99)]
    rows = np.array(scores, np.float32)[:, np.newaxis]
    return detect(detector, rows, starts[: len(scores)])


def spans(events: list[Event]) -> list[tuple[float, float | None]]:
    return [(event.onset, event.offset) for event in events if event.state == "off"]


def test_an_event_goes_on_between_off_and_on() -> None:
    rule = EventSettings(on=0.6, off=0.3, hold_seconds=0)
    assert spans(tell(rule, 0.5, 0.6, 0.5, 0.3, 0.2)) == [(0.96, 3.84)]


def test_a_threshold_is_reached_by_a_score_that_equals_it() -> None:
    assert [event.state for event in tell(EventSettings(on=0.6), 0.6)] == ["on"]


def test_an_onset_is_told_with_the_patch_that_reached_it() -> None:
    (event,) = tell(EventSettings(), 0.1, 0.75)
    assert event == Event(0, "Dog", 0, "on", 0.96, None, 0.75)


def test_a_pause_shorter_than_the_hold_time_does_not_end_an_event() -> None:
    rule = EventSettings(hold_seconds=1.92)
    assert spans(tell(rule, 0.9, 0.0, 0.9, 0.0, 0.0)) == [(0.0, 2.88)]


def test_the_pause_of_exactly_the_hold_time_ends_it() -> None:
    assert spans(tell(EventSettings(hold_seconds=0.96), 0.9, 0.0)) == [(0.0, 0.96)]


def test_an_event_ends_when_more_than_the_hold_time_was_lost() -> None:
    events = tell(EventSettings(hold_seconds=5), 0.9, 0.9, 0.9, gap_before=2)
    assert [(event.id, event.state) for event in events] == [(0, "on"), (0, "off"), (1, "on")]
    assert spans(events) == [(0.0, 1.92)]


def test_an_event_goes_on_over_a_shorter_loss() -> None:
    assert [event.state for event in tell(EventSettings(hold_seconds=11), 0.9, 0.9, 0.9, gap_before=2)] == ["on"]


def test_an_event_too_short_is_never_told() -> None:
    assert tell(EventSettings(min_seconds=1, hold_seconds=0), 0.9, 0.0, 0.9, 0.0) == []


def test_an_event_is_told_once_it_is_long_enough_with_its_true_onset() -> None:
    (event,) = tell(EventSettings(min_seconds=1.92), 0.9, 0.4)
    assert (event.state, event.onset) == ("on", 0.0)
    assert event.peak == pytest.approx(0.9)


def test_no_event_begins_while_the_last_one_cools_down() -> None:
    rule = EventSettings(hold_seconds=0, cooldown_seconds=2.88)
    assert [event.onset for event in tell(rule, 0.9, 0.0, 0.9, 0.0, 0.9, 0.0)] == [0.0, 0.0, 3.84, 3.84]


def test_an_event_may_begin_when_the_cool_down_is_over_to_the_sample() -> None:
    rule = EventSettings(hold_seconds=0, cooldown_seconds=10)
    events = tell(rule, *[0.0] * 10, 0.9, 0.9, gap_before=11)  # 10.56 s + 10 s and 20.56 s round differently
    assert [event.onset for event in events if event.state == "on"] == [9.6, 20.56]


def test_an_event_too_short_to_be_told_needs_no_cooling_down() -> None:
    rule = EventSettings(hold_seconds=0, cooldown_seconds=100, min_seconds=1.92)
    assert spans(tell(rule, 0.9, 0.0, 0.9, 0.9, 0.0)) == [(1.92, 3.84)]


def test_labels_have_thresholds_of_their_own() -> None:
    rule = EventSettings(on=0.5, labels={"Cat": LabelThresholds(on=0.9, off=0.8)})
    events = detector_of(["Dog", "Cat"], rule).push(np.array([0.6, 0.6], np.float32), 0, 0.96)
    assert [event.label for event in events] == ["Dog"]


def test_there_is_no_floor_under_thresholds() -> None:
    rule = EventSettings(on=0.0, off=0.0)
    assert [event.state for event in tell(rule, 0.0, 0.0)] == ["on"]


def test_other_thresholds_apply_from_the_next_patch_and_leave_events_on() -> None:
    detector = detector_of(DOG, EventSettings(on=0.5, off=0.3, hold_seconds=0))
    loud, soft = np.array([0.6], np.float32), np.array([0.2], np.float32)
    assert [event.state for event in detector.push(loud, 0, 0.96)] == ["on"]
    detector.rules = EventRules(LabelSet(DOG), EventSettings(on=0.9, off=0.1, hold_seconds=0))
    assert detector.push(soft, 0.96, 1.92) == []
    detector.rules = EventRules(LabelSet(DOG), EventSettings(on=0.9, off=0.3, hold_seconds=0))
    assert [(event.id, event.state) for event in detector.push(soft, 1.92, 2.88)] == [(0, "off")]
    assert detector.push(loud, 2.88, 3.84) == []


def test_events_begin_again_after_the_stream_was_lost() -> None:
    detector = detector_of(DOG, EventSettings())
    loud = np.array([0.9], np.float32)
    assert [event.id for event in detector.push(loud, 0, 0.96)] == [0]
    (off,) = detector.finish()
    assert (off.id, off.state, off.offset) == (0, "off", 0.96)
    assert [(event.id, event.onset) for event in detector.push(loud, 0.96, 1.92)] == [(1, 0.96)]


@given(situations())
def test_a_batch_of_rows_reaches_what_its_rows_reach(
    situation: tuple[EventSettings, NDArray[np.float32], list[int]],
) -> None:
    rule, scores, starts = situation
    rules = EventRules(LabelSet(["A", "B", "C"]), rule)
    known, unknown = EventDetector(rules), EventDetector(rules)
    for row, start, reached in zip(scores, starts, rules.reached(scores), strict=True):
        place = start / SECOND, (start + PATCH) / SECOND
        assert known.push(row, *place, reached) == unknown.push(row, *place)


def test_thresholds_of_the_model_hold_where_the_configuration_says_none() -> None:
    asked = {"Dog": {"on": 0.8, "off": 0.5}}

    def pairs(settings: EventSettings) -> list[tuple[float, float]]:
        return [(rule.on, rule.off) for rule in EventRules(LabelSet(["Dog", "Cat"], asked), settings).of_label]

    assert pairs(EventSettings()) == [(0.8, 0.5), (0.5, 0.3)]
    assert pairs(EventSettings(on=0.6)) == [(0.6, 0.3), (0.6, 0.3)]
    assert pairs(EventSettings(labels={"Dog": LabelThresholds(on=0.4, off=0.2)})) == [(0.4, 0.2), (0.5, 0.3)]
    assert pairs(EventSettings(on=0.5, off=0.3)) == [(0.5, 0.3), (0.5, 0.3)]  # said, though it is the default
    assert pairs(EventSettings(off=0.2)) == [(0.5, 0.2), (0.5, 0.2)]
    longer = EventSettings(labels={"Dog": LabelThresholds(min_seconds=2.0)})
    assert pairs(longer) == [(0.8, 0.5), (0.5, 0.3)]
    assert thresholds_of("Dog", longer, asked).min_seconds == 2.0
    assert pairs(EventSettings(on=0.6, labels={"Dog": LabelThresholds(off=0.1)})) == [(0.6, 0.1), (0.6, 0.3)]
