"""Alerts beside a service: from its messages to who is told."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamtag.alerts import Moment
from streamtag.alerts.log import Logged, read_log
from streamtag.alerts.notice import AlertNotice
from streamtag.alerts.replay import replay
from streamtag.config import load_config
from streamtag.history import StoredEvent
from streamtag.sinks import alerts
from streamtag.sinks.alerts import AlertSink
from streamtag.sinks.sink import SinkMessage
from tests.wire import samples

NOW = 1_780_315_200.0
SESSION = "1a2b3c4d"


class Told:
    """Another sink, which is told of alerts."""

    kinds = frozenset({"alert"})

    def __init__(self) -> None:
        self.notices: list[AlertNotice] = []

    def take(self, message: SinkMessage) -> None:
        assert isinstance(message.header, AlertNotice)
        self.notices.append(message.header)


class House:
    """A configuration's alerts, in one process after the other, by a clock that a test sets."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.shift = 0.0
        self.folder = folder
        self.told = Told()
        monkeypatch.setattr(alerts, "_now", lambda: Moment(self.now, NOW + self.now + self.shift))

    def begin(self, text: str, more: str = "") -> "House":
        path = self.folder / "live.toml"
        path.write_text(
            f'[service]\nname = "cellar"\n[history]\npath = "history.sqlite"\nkeep_days = 36500\n{text}\n{more}'
        )
        self.sink = AlertSink(load_config(path))
        self.sink.oversee([self.told])  # type: ignore[list-item]
        self.sink.open()
        self.say(samples.service().header, streams=["porch", "yard"])
        return self

    def say(self, header: Any, scores: Any = None, **fields: Any) -> None:
        for name, value in {"session": SESSION, "time": NOW + self.now + self.shift, **fields}.items():
            setattr(header, name, value)
        self.sink.take(SinkMessage(header, scores, scores))
        self.sink.look()

    def dog(self, number: int, peak: float = 0.9, stream: str = "porch") -> None:
        self.say(samples.event(stream, number).header, onset_time=NOW + self.now + self.shift - 0.5, peak=peak)

    def quiet(self, number: int, length: float, peak: float = 0.9, stream: str = "porch") -> None:
        self.say(samples.event(stream, number).header, state="off", offset=0.5 + length, peak=peak)

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.sink.look()

    @property
    def log(self) -> list[Logged]:
        return read_log(self.folder / "history-alerts.sqlite", 100)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    house = House(tmp_path, monkeypatch)
    yield house
    house.sink.close()


def test_an_alert_tells_those_that_it_is_sent_to_and_its_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "streamtag")
    house.begin('[[webhook]]\nurl = "http://localhost/"\n[[alert]]\nname = "dog"\nwhen = "Dog"\nclip = true')
    house.dog(1)
    (notice,) = house.told.notices
    assert (notice.alert, notice.stream, notice.what, notice.value) == ("dog", "porch", "Dog", 0.9)
    assert (notice.send, notice.clip, notice.onset_time) == (("webhook",), True, NOW - 0.5)
    assert "alert dog: Dog on porch (0.90)" in caplog.text
    house.quiet(1, 2.0)
    house.after(100)
    house.dog(2)
    house.quiet(2, 2.0)
    assert [(each.is_told, each.reason) for each in house.log] == [
        (False, "within 300 s of the one before"),
        (True, ""),
    ]


def test_the_cooldown_goes_on_in_the_next_process_and_nothing_is_told_again(house: House) -> None:
    text = '[[alert]]\nname = "dog"\nwhen = "Dog"\ncooldown_seconds = 60'
    house.begin(text)
    house.dog(1)
    onset = house.told.notices[0].onset_time
    house.sink.close()
    house.after(50)
    house.begin(text)
    house.say(samples.event("porch", 1).header, onset_time=onset)  # the service tells its newest again
    house.after(30)
    house.quiet(1, 80.0)
    house.dog(2)
    assert [notice.onset_time for notice in house.told.notices] == [onset, NOW + house.now - 0.5]


def test_setting_the_clock_of_the_day_tells_nothing_twice(house: House) -> None:
    house.begin('[[alert]]\nname = "dog"\nwhen = "Dog"\ncooldown_seconds = 600')
    for number in range(5):
        house.dog(number)
        house.after(1)
        house.quiet(number, 1.0)
        house.shift += 3600
    assert len(house.told.notices) == 1


def test_an_event_counts_from_the_score_on_that_the_alert_asks_for(house: House) -> None:
    house.begin('[[alert]]\nname = "dog"\nwhen = "Dog"\non = 0.8')
    house.dog(1, peak=0.6)
    house.after(1)
    assert house.told.notices == []
    house.say(samples.scores().header, np.array([0.79, 0.99], np.float32))
    assert house.told.notices == []
    house.say(samples.scores().header, np.array([0.85, 0.1], np.float32))
    assert [round(notice.value or 0, 2) for notice in house.told.notices] == [0.85]


def test_a_level_and_a_state_are_told_of(house: House) -> None:
    house.begin(
        '[[alert]]\nname = "loud"\nwhen = "level"\non = -30\n[[alert]]\nname = "down"\nwhen = "state"\nfor_seconds = 20'
    )
    house.say(samples.scores().header, np.zeros(2, np.float32), rms_dbfs=-31.0)
    house.say(samples.scores().header, np.zeros(2, np.float32), rms_dbfs=-29.5)
    house.say(samples.status("yard").header, state="reconnecting", since=NOW)
    for _ in range(5):
        house.after(5)
        house.say(samples.status("yard").header, state="reconnecting", since=NOW)
    assert [(notice.alert, notice.stream, notice.value) for notice in house.told.notices] == [
        ("loud", "porch", -29.5),
        ("down", "yard", None),
    ]


def test_a_stream_that_left_the_service_is_in_no_state_any_more(house: House) -> None:
    house.begin('[[alert]]\nname = "down"\nwhen = "state"\nfor_seconds = 20')
    house.say(samples.status("yard").header, state="failed", since=NOW)
    house.after(5)
    house.say(samples.service().header, streams=["porch"])
    house.after(60)
    assert house.told.notices == []
    assert [each.reason for each in house.log] == ["it lasted 5.0 s of 20 s"]


def test_a_service_that_begins_anew_ends_what_was_on(house: House) -> None:
    house.begin('[[alert]]\nname = "dog"\nwhen = "Dog"\nfor_seconds = 60')
    house.dog(1)
    house.after(30)
    house.say(samples.service().header, streams=["porch"], session="00000000")
    house.after(60)
    assert house.told.notices == []
    assert len(house.log) == 1


def test_of_a_service_that_is_silent_nothing_goes_on(house: House) -> None:
    house.begin('[[alert]]\nname = "dog"\nwhen = "Dog"\nfor_seconds = 60')
    house.dog(1)
    for _ in range(20):
        house.after(5)
    assert house.told.notices == []
    assert len(house.log) == 1


def test_alive_and_from_the_history_the_same_is_told(house: House) -> None:
    house.begin(
        '[[alert]]\nname = "each"\nwhen = "Dog"\ncooldown_seconds = 0\n'
        '[[alert]]\nname = "rare"\nwhen = "Dog"\ncooldown_seconds = 100\n'
        '[[alert]]\nname = "sure"\nwhen = "Dog"\non = 0.8\ncooldown_seconds = 0\n'
        '[[alert]]\nname = "long"\nwhen = "Dog"\nfor_seconds = 20\ncooldown_seconds = 0\n'
        '[[alert]]\nname = "often"\nwhen = "Dog"\ncount = 3\nwithin_seconds = 130\ncooldown_seconds = 0\n'
    )
    events = [
        (0, 5, 0.9),
        (60, 15, 0.7),
        (120, 30, 0.85),
        (180, 2, 0.6),
        (400, 50, 0.95),
        (460, 19, 0.7),
        (520, 21, 0.9),
    ]
    stored = []
    for number, (at, length, peak) in enumerate(events):
        while house.now < at + 0.5:
            house.after(0.5)
            house.say(samples.service().header, streams=["porch"])
        house.dog(number, peak)
        stored.append(StoredEvent(number, "porch", "Dog", NOW + at, 0.5, 0.5 + length, peak, False, False))
        while house.now < at + length + 2:  # an end is known once it was held
            house.after(0.5)
            house.say(samples.service().header, streams=["porch"])
        house.quiet(number, length, peak)
    told = sorted((notice.alert, round(notice.onset_time - NOW)) for notice in house.told.notices)
    alerts = load_config(house.folder / "live.toml").alerts
    found = replay(stored, alerts, None, until=NOW + house.now)
    assert sorted((each.alert, round(each.onset.wall - NOW)) for each in found if each.is_told) == told
    assert {name for name, _ in told} == {"each", "rare", "sure", "long", "often"}


def test_nothing_of_a_stream_that_is_not_kept_is_in_the_log(house: House) -> None:
    house.begin('[[alert]]\nname = "dog"\nwhen = "Dog"', '[[stream]]\nid = "porch"\nsource = "mic:"\nkeep = false')
    house.dog(1)
    house.sink.close()
    assert len(house.told.notices) == 1
    assert house.log == []


def test_where_the_log_cannot_be_written_alerts_are_sent_all_the_same(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    (house.folder / "history-alerts.sqlite").mkdir()
    house.begin('[[alert]]\nname = "dog"\nwhen = "Dog"\ncooldown_seconds = 0')
    for number in range(3):
        house.dog(number)
        house.after(2)
        house.quiet(number, 1.0)
    house.sink.close()
    assert len(house.told.notices) == 3
    assert caplog.text.count("cannot be written for now") == 1
