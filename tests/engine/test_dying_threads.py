"""Each thread of the service dies in a way that nobody foresaw."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streamtag.engine import Service, inference
from streamtag.engine.times import ServiceTimes
from streamtag.errors import StreamtagError
from streamtag.history import HistoryReader
from streamtag.history.store import Store
from streamtag.intake import PushedStreams
from streamtag.settings import HistorySettings, Stream
from streamtag.wire import PcmPuller, PcmPusher, Publisher
from tests.engine.listening import Listener
from tests.sounds import tone, write

Begin = Callable[..., tuple[Service, Listener]]


@pytest.fixture
def whistle(tmp_path: Path) -> Path:
    return write(tmp_path / "whistle.wav", tone(4.5, 2900))


OFTEN = ServiceTimes(repeat=0.1)


def break_down(*_: object) -> None:
    raise ZeroDivisionError("of a library")


def test_a_publisher_that_fails_ends_the_service(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    service, _ = begin(times=OFTEN)
    monkeypatch.setattr(Publisher, "_send_waiting", break_down)
    with pytest.raises(StreamtagError, match="publishing failed: ZeroDivisionError: of a library; the service ends"):
        service.wait(60)
    assert "the thread publisher failed: ZeroDivisionError: of a library" in caplog.text


def test_an_inference_thread_that_fails_ends_the_service(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    service, _ = begin()
    monkeypatch.setattr(inference.Inference, "_repeat", break_down)
    with pytest.raises(StreamtagError, match="scoring failed: ZeroDivisionError: of a library; the service ends"):
        service.wait(60)
    assert "the thread inference failed" in caplog.text


def test_a_pcm_input_that_fails_is_made_anew_and_told(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, push: Callable[[Service], PcmPusher]
) -> None:
    service, listener = begin(times=OFTEN)
    take_waiting, rest = PcmPuller._receive_waiting, [break_down]
    monkeypatch.setattr(PcmPuller, "_receive_waiting", lambda puller: rest.pop()() if rest else take_waiting(puller))
    pusher = push(service)
    pusher.push("desk", tone(0.1), 16000)
    told = listener.until(lambda message: message.header.get("restarts"))
    assert told.header["restarts"] == {"input": 1}
    pusher.push("desk", tone(1.0), 16000)
    listener.patches("desk", 1)


def test_a_watch_that_fails_is_made_anew_and_told(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    service, listener = begin()
    look = PushedStreams.look
    rest = [break_down] * 2

    def look_or_break(streams: PushedStreams) -> None:
        rest.pop()() if rest else look(streams)

    monkeypatch.setattr(PushedStreams, "look", look_or_break)
    told = listener.until(lambda message: message.header.get("restarts") == {"watch": 2})
    assert told.header["kind"] == "service"
    assert not service.wait(0)


def test_a_reader_that_fails_ends_its_stream_and_no_other(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, whistle: Path
) -> None:
    monkeypatch.setattr("streamtag.intake.source_reader.SourceReader._read_all", break_down)
    _, listener = begin(
        Stream(id="pcm", source="-", rate=16000, channels=1, format="s16le"), Stream(id="yard", source=str(whistle))
    )
    told = listener.state("pcm", "failed")
    listener.states_of("ended", "yard")
    assert told.header["reason"] == "internal error: ZeroDivisionError: of a library"


def test_a_history_that_fails_is_made_anew_and_told(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, whistle: Path, tmp_path: Path
) -> None:
    prune, rest = Store.prune, [break_down]
    monkeypatch.setattr(Store, "prune", lambda store: rest.pop()() if rest else prune(store))
    path = tmp_path / "history.sqlite"
    yard = Stream(id="yard", source=str(whistle))
    service, listener = begin(yard, times=OFTEN, history=HistorySettings(path=str(path)))
    listener.state("yard", "ended")
    told = listener.until(lambda message: message.header.get("restarts"))
    assert told.header["restarts"] == {"history": 1}
    service.stop()
    ended = [event for event in listener.of("event", "yard") if event.header["state"] == "off"]
    assert len(HistoryReader(path).search()) == len(ended) > 0
