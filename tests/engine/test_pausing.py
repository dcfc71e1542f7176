"""Streams that are connected and not scored: because somebody asks, or in their hours of the day."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from streamtag.daytime import Span, is_within
from streamtag.engine import Service
from streamtag.engine.pauses import Pauses
from streamtag.history import HistoryReader
from streamtag.settings import HistorySettings, Stream
from streamtag.wire import PcmPusher, ServiceControl
from tests.engine.listening import Listener, config
from tests.sounds import tone, write

Begin = Callable[..., tuple[Service, Listener]]
Push = Callable[[Service], PcmPusher]
RATE = 16000


@pytest.fixture
def control() -> Callable[[Service], ServiceControl]:
    return lambda service: ServiceControl(service.input_endpoint or "")


def paused(listener: Listener, stream: str, is_paused: bool = True) -> dict[str, object]:
    return listener.until(
        lambda message: (
            message.header["kind"] == "status"
            and message.header["stream"] == stream
            and message.header["paused"] == is_paused
        )
    ).header


def test_a_paused_stream_is_connected_and_not_scored_until_it_is_resumed(
    begin: Begin, push: Push, control: Callable[[Service], ServiceControl], tmp_path: Path
) -> None:
    path = tmp_path / "history.sqlite"
    service, listener = begin(history=HistorySettings(path=str(path), clips=True))
    pusher = push(service)
    pusher.push("desk", tone(4.0, 1000), RATE, start=0)
    assert len(listener.patches("desk", 4)) == 4
    with control(service) as asked:
        asked.pause("desk")
        status = paused(listener, "desk")
        assert (status["state"], status["reason"]) == ("paused", "until it is resumed")
        ended = [message.header["label"] for message in listener.of("event", "desk") if message.header["offset"]]
        assert "Hum" in ended  # what was on when it began is over
        pusher.push("desk", tone(8.0, 1000), RATE, start=4 * RATE)
        pusher.push("mark", tone(0.1), RATE)
        listener.state("mark", "live")  # so all that was pushed before it has come
        asked.resume("desk")
        status = paused(listener, "desk", False)
        assert status["state"] == "live"
        pusher.push("desk", tone(8.0, 1000), RATE, start=12 * RATE)
        scores = listener.patches("desk", 11)
    # Those that lie within, and the one in which it was resumed; none of them counts as lost.
    starts = [round(message.header["start"] / 0.96) for message in scores]
    assert starts[:4] == [0, 1, 2, 3]
    assert starts[4] >= 13
    pusher.end("desk")
    last = listener.state("desk", "ended").header
    assert last["paused_seconds"] == pytest.approx(0.96 * (starts[4] - 4), abs=0.01)
    assert (last["lost_samples"], last["dropped_patches"]) == (0, 0)
    service.stop()
    first, second = sorted(HistoryReader(path).search(text="Hum", stream="desk"), key=lambda event: event.onset)
    assert first.offset == pytest.approx(3.84)
    assert second.onset == pytest.approx(0.96 * starts[4])


def test_a_pause_outlives_the_program_that_pushes(
    begin: Begin, push: Push, control: Callable[[Service], ServiceControl]
) -> None:
    service, listener = begin()
    pusher = push(service)
    pusher.push("desk", tone(2.0), RATE)
    listener.patches("desk", 2)
    with control(service) as asked:
        asked.pause("desk")
        paused(listener, "desk")
    pusher.end("desk")
    listener.state("desk", "ended")
    pusher.push("desk", tone(2.0), RATE)
    assert listener.state("desk", "paused").header["paused"]
    assert len(listener.scores("desk")) == 2


def test_a_paused_stream_that_breaks_says_so(begin: Begin, tmp_path: Path) -> None:
    now = time.strftime("%H:%M")
    other = "00:00" if now >= "12:00" else "23:59"
    hours = (now, other) if other != now else (now, "12:00")
    _, listener = begin(Stream(id="gone", source=str(tmp_path / "none.wav"), pause=hours))
    status = listener.state("gone", "failed").header
    assert status["paused"]
    assert status["state"] == "failed"


def test_only_what_changes_of_a_stream_is_touched(begin: Begin, tiny: Path, tmp_path: Path) -> None:
    sound = str(write(tmp_path / "beep.wav", tone(30.0, 1000)))
    stream = Stream(id="yard", source=sound, realtime=True)
    service, listener = begin(stream)
    listener.patches("yard", 1)
    hour = time.localtime().tm_hour
    hours = (f"{(hour - 1) % 24:02}:00", f"{(hour + 2) % 24:02}:00")
    service.reload(config(tiny, streams=(replace(stream, pause=hours),)))
    assert paused(listener, "yard")["reason"] == f"from {hours[0]} to {hours[1]}"
    service.reload(config(tiny, streams=(stream,)))
    paused(listener, "yard", False)
    listener.patches("yard", len(listener.scores("yard")) + 1)
    assert listener.states("yard") == ["starting", "live", "paused", "live"]


def test_a_request_for_a_stream_that_is_not_there_is_counted(
    begin: Begin, control: Callable[[Service], ServiceControl], caplog: pytest.LogCaptureFixture
) -> None:
    service, listener = begin()
    with control(service) as asked:
        asked.pause("nobody")
        listener.until(lambda message: message.header["kind"] == "service" and message.header["pcm_faults"] == 1)
    assert "a request to pause stream nobody is refused: there is none of that name" in caplog.text


def test_levels_of_a_paused_stream_are_not_made(
    begin: Begin, push: Push, listen: Callable[..., Listener], control: Callable[[Service], ServiceControl]
) -> None:
    service, listener = begin()
    watcher = listen(service, streams=["desk"], kinds=["levels", "status"])
    pusher = push(service)
    pusher.push("desk", tone(1.0), RATE)
    watcher.state("desk", "live")
    with control(service) as asked:
        asked.pause("desk")
        paused(listener, "desk")
    watcher.rest()
    before = len(watcher.of("levels", "desk"))
    pusher.push("desk", tone(2.0), RATE)
    pusher.end("desk")
    watcher.state("desk", "ended")
    assert len(watcher.of("levels", "desk")) == before


def test_nothing_of_a_stream_that_is_not_kept_is_in_the_history(begin: Begin, push: Push, tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    service, listener = begin(
        Stream(id="desk", source="zmq:", keep=False),
        Stream(id="yard", source="zmq:"),
        history=HistorySettings(path=str(path), clips=True),
    )
    pusher = push(service)
    for name in ("desk", "yard"):
        pusher.push(name, tone(4.0, 1000), RATE)
        pusher.end(name)
        listener.state(name, "ended")
        assert listener.of("event", name)
    service.stop()
    assert {event.stream for event in HistoryReader(path).search()} == {"yard"}


class Clock:
    """Pauses of streams that are not there, by a clock that a test sets."""

    def __init__(self, hours: Span) -> None:
        self.now = local("2026-06-01 12:00")
        self.hours = hours
        self.pauses = Pauses(lambda _: None, lambda _: None, now=lambda: self.now)
        self.pauses.go_by([Stream(id="porch", source="mic:", pause=hours)], None)

    def at(self, moment: str) -> bool:
        self.now = local(moment)
        self.pauses._look()
        return "porch" in self.pauses._reasons


def local(moment: str) -> float:
    return time.mktime(time.strptime(moment, "%Y-%m-%d %H:%M"))


def test_hours_begin_and_end_by_the_local_clock_whichever_way_it_is_set() -> None:
    clock = Clock(("23:00", "06:00"))
    for moment in ("2026-06-01 22:59", "2026-06-01 23:00", "2026-06-02 05:59", "2026-06-02 06:00", "2026-06-01 23:30"):
        assert clock.at(moment) == is_within(clock.hours, local(moment))


def test_whatever_was_last_holds() -> None:
    clock = Clock(("23:00", "06:00"))
    clock.pauses._set("porch", "until it is resumed")
    assert clock.at("2026-06-01 22:00")
    assert clock.at("2026-06-01 23:30")
    assert not clock.at("2026-06-02 06:01")
    assert clock.at("2026-06-02 23:01")
    clock.pauses._set("porch", "")
    assert not clock.at("2026-06-03 02:00")
    assert not clock.at("2026-06-03 12:00")
    assert clock.at("2026-06-03 23:00")
