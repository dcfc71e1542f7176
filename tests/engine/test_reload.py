"""A service whose configuration changes while it runs."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamtag.engine import Service
from streamtag.errors import ConfigError
from streamtag.intake import source_reader
from streamtag.settings import EventSettings, LabelThresholds, Stream
from streamtag.wire import PcmPusher
from tests.engine.fakes import HungSource
from tests.engine.listening import Listener, brief, config
from tests.real.servers import wait_until
from tests.sounds import tone, write

Begin = Callable[..., tuple[Service, Listener]]


@pytest.fixture
def low(tmp_path: Path) -> Path:
    return write(tmp_path / "low.wav", tone(9.6, 300))


@pytest.fixture
def high(tmp_path: Path) -> Path:
    return write(tmp_path / "high.wav", tone(9.6, 2900))


def playing(name: str, path: Path) -> Stream:
    """A file as a camera would give it: on and on, in real time."""
    return Stream(id=name, source=str(path), realtime=True, loop=True)


def assert_unbroken(listener: Listener, stream: str) -> None:
    messages = listener.scores(stream)
    starts = [message.header["start"] for message in messages]
    assert [message.header["seq"] for message in messages] == list(range(len(messages)))
    assert starts == pytest.approx([0.96 * index for index in range(len(starts))])


def test_streams_come_and_go_and_the_others_go_on(begin: Begin, tiny: Path, low: Path, high: Path) -> None:
    stays, goes, comes = playing("stays", low), playing("goes", high), playing("comes", high)
    service, listener = begin(stays, goes)
    listener.patches("goes", 2)
    service.reload(config(tiny, streams=(comes, stays)))
    listener.state("goes", "ended")
    listener.patches("comes", 1)
    listener.patches("stays", 4)
    service.stop()
    listener.rest()
    assert_unbroken(listener, "stays")
    assert_unbroken(listener, "comes")
    assert (
        listener.states("stays") == listener.states("goes") == listener.states("comes") == ["starting", "live", "ended"]
    )
    assert listener.of("service")[-1].header["streams"] == ["stays", "comes"]


def test_the_events_of_a_removed_stream_end(begin: Begin, tiny: Path, high: Path) -> None:
    service, listener = begin(playing("goes", high))
    listener.until(lambda message: brief(message) == ("event", "goes", "on"))
    service.reload(config(tiny))
    listener.state("goes", "ended")
    states = [event.header["state"] for event in listener.of("event", "goes")]
    assert states.count("on") == states.count("off") > 0


def test_a_removed_stream_is_not_told_to_who_comes_later(
    begin: Begin, listen: Callable[..., Listener], tiny: Path, high: Path
) -> None:
    service, listener = begin(playing("goes", high))
    listener.patches("goes", 1)
    service.reload(config(tiny, streams=(playing("stays", high),)))
    listener.state("goes", "ended")

    def is_forgotten() -> bool:
        late = listen(service)
        late.patches("stays", 1)
        return late.of("status", "goes") == late.scores("goes") == []

    wait_until(is_forgotten, 60, "the forgetting of the stream")  # its end is told first


def test_a_changed_stream_begins_anew_after_all_of_the_old_one(begin: Begin, tiny: Path, low: Path, high: Path) -> None:
    service, listener = begin(Stream(id="yard", source=str(low), loop=True))
    listener.patches("yard", 20)
    service.reload(config(tiny, streams=(Stream(id="yard", source=str(high)),)))
    listener.until(
        lambda message: brief(message) == ("status", "yard", "ended") and message.header["source"] == str(high)
    )
    assert listener.states("yard") == ["starting", "live", "ended", "starting", "live", "ended"]
    order = [brief(message)[0] + brief(message)[2] for message in listener.heard if brief(message)[1] == "yard"]
    second = len(order) - order[::-1].index("statusstarting")
    assert "statusended" in order[:second]
    messages = listener.scores("yard")
    begin_of_second = [index for index, message in enumerate(messages) if message.header["start"] == 0][-1]
    assert [message.header["start"] for message in messages[begin_of_second:]] == pytest.approx(0.96 * np.arange(10))
    assert len(messages) - begin_of_second == 10
    assert [message.header["seq"] for message in messages] == list(range(len(messages)))
    ids = [event.header["id"] for event in listener.of("event", "yard") if event.header["state"] == "on"]
    assert ids.count(0) == 2


def test_a_stream_that_is_set_as_before_is_not_touched(begin: Begin, tiny: Path, low: Path) -> None:
    service, listener = begin(playing("yard", low))
    listener.patches("yard", 1)
    for _ in range(3):
        service.reload(config(tiny, streams=(playing("yard", low),)))
    listener.patches("yard", 3)
    assert_unbroken(listener, "yard")
    assert listener.states("yard") == ["starting", "live"]


def test_other_thresholds_and_rolling_apply_to_streams_that_go_on(begin: Begin, tiny: Path, high: Path) -> None:
    silent = EventSettings(on=1.0, off=1.0)
    service, listener = begin(playing("yard", high), events=silent, rolling=3)
    listener.patches("yard", 1)
    assert listener.of("event") == []
    loud = EventSettings(on=1.0, off=1.0, labels={"Whistle": LabelThresholds(on=0.1, off=0.1)})
    service.reload(config(tiny, streams=(playing("yard", high),), events=loud, rolling=1))
    event = listener.until(lambda message: brief(message)[0] == "event").header
    assert event["label"] == "Whistle"
    assert event["onset"] > 0
    last = listener.patches("yard", len(listener.scores("yard")) + 1)[-1]
    assert last.header["rolling"] == 1
    np.testing.assert_array_equal(last.rolling, last.patch)
    assert_unbroken(listener, "yard")


def test_thresholds_of_now_hold_for_streams_that_come_later(begin: Begin, tiny: Path, high: Path) -> None:
    service, listener = begin(events=EventSettings(on=1.0, off=1.0))
    loud = EventSettings(on=1.0, off=1.0, labels={"Whistle": LabelThresholds(on=0.1, off=0.1)})
    service.reload(config(tiny, streams=(Stream(id="yard", source=str(high)),), events=loud))
    listener.state("yard", "ended")
    assert [event.header["label"] for event in listener.of("event", "yard")] == ["Whistle", "Whistle"]


def test_a_configuration_that_cannot_be_is_refused_and_changes_nothing(begin: Begin, tiny: Path, low: Path) -> None:
    service, listener = begin(playing("yard", low))
    listener.patches("yard", 1)
    purr = EventSettings(labels={"Purr": LabelThresholds()})
    with pytest.raises(ConfigError, match="Purr"):
        service.reload(config(tiny, events=purr))
    listener.patches("yard", 2)
    assert_unbroken(listener, "yard")


def test_what_needs_a_new_start_is_said_at_each_reload(
    begin: Begin, tiny: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service, _ = begin()
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            service.reload(config(tiny, max_batch=7))
        assert "[model] changed: that takes effect when the service is started anew" in caplog.text


def test_what_needs_a_new_start_is_as_before_until_then(
    begin: Begin, push: Callable[[Service], PcmPusher], tiny: Path, low: Path
) -> None:
    service, listener = begin(max_streams=1)
    with pytest.raises(ConfigError, match=r"2 streams are configured and .* max_streams is 1"):
        service.reload(config(tiny, streams=(playing("yard", low), playing("other", low)), max_streams=2))
    service.reload(config(tiny, streams=(playing("yard", low),), max_streams=2))
    push(service).push("desk", tone(1.0), 16000)
    listener.patches("yard", 2)
    assert listener.of("service")[-1].header["streams"] == ["yard"]


def test_sources_that_hang_hold_a_reload_up_together_and_not_each(
    begin: Begin, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    monkeypatch.setattr(source_reader, "open_source", lambda uri, **_: HungSource(uri, released))
    hung = [Stream(id=f"hung{number}", source="-") for number in range(10)]
    service, listener = begin(*hung)
    try:
        listener.states_of("starting", *(stream.id for stream in hung))
        service.reload(config(tiny))
        listener.states_of("ended", *(stream.id for stream in hung))  # though none of them ended
        released.set()
        for thread in threading.enumerate():
            if thread.name.startswith("streamtag-hung"):
                thread.join(60)
        service.reload(config(tiny, streams=(Stream(id="hung0", source="zmq:"),)))
        listener.until(lambda message: brief(message) == ("status", "hung0", "starting"))
        listener.rest()
        assert listener.states("hung0") == ["starting", "ended", "starting"]  # what came late is not told
    finally:
        released.set()


def test_a_pushed_stream_can_be_declared_changed_and_withdrawn(
    begin: Begin, push: Callable[[Service], PcmPusher], tiny: Path, high: Path
) -> None:
    service, listener = begin()
    pusher = push(service)
    pusher.push("desk", tone(2.0, 2900), 16000)
    listener.patches("desk", 2)
    service.reload(config(tiny, streams=(Stream(id="desk", source="zmq:"),)))
    pusher.push("desk", tone(2.0, 2900), 16000)
    listener.patches("desk", 4)
    assert_unbroken(listener, "desk")
    service.reload(config(tiny))
    listener.state("desk", "ended")
    assert listener.states("desk") == ["starting", "live", "ended"]
    states = [event.header["state"] for event in listener.of("event", "desk")]
    assert states.count("on") == states.count("off") > 0
    service.reload(config(tiny, streams=(Stream(id="desk", source=str(high)),)))
    listener.until(lambda message: brief(message) == ("status", "desk", "ended") and message.header["patches"] == 10)


def test_a_stream_of_a_name_that_is_pushed_is_not_started(
    begin: Begin, push: Callable[[Service], PcmPusher], tiny: Path, high: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service, listener = begin()
    push(service).push("desk", tone(1.0), 16000)
    listener.patches("desk", 1)
    service.reload(config(tiny, streams=(Stream(id="desk", source=str(high)),)))
    assert "stream desk is not started: its name is taken" in caplog.text
    service.reload(config(tiny))  # nor is the pushed one removed with it
    push(service).push("desk", tone(1.0), 16000)
    listener.patches("desk", 2)
    assert listener.states("desk") == ["starting", "live"]
