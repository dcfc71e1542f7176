"""What the history gets of what the service tells."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamtag.engine import Service
from streamtag.engine.times import ServiceTimes
from streamtag.history import HistoryReader
from streamtag.history.store import Store
from streamtag.settings import HistorySettings, Stream
from streamtag.wire import PcmPusher
from tests.engine.listening import Listener, config
from tests.sounds import tone, write

Begin = Callable[..., tuple[Service, Listener]]
Push = Callable[[Service], PcmPusher]


@pytest.fixture
def history(tmp_path: Path) -> HistorySettings:
    return HistorySettings(path=str(tmp_path / "history.sqlite"))


@pytest.fixture
def whistle(tmp_path: Path) -> Path:
    return write(tmp_path / "whistle.wav", tone(4.5, 2900))


def search(history: HistorySettings) -> list[str]:
    return [event.stream for event in HistoryReader(Path(history.path or "")).search()]


def test_an_event_is_in_the_history_when_it_is_told(
    begin: Begin, whistle: Path, history: HistorySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, listener = begin(times=ServiceTimes(repeat=0.1, settle=20.0), history=history)
    listener.until(lambda message: message.header.get("history") == {"state": "kept", "reason": "", "dropped": 0})
    write_all = Store.write

    def write_slowly(*args: Any) -> None:
        time.sleep(0.3)
        write_all(*args)

    monkeypatch.setattr(Store, "write", write_slowly)
    service.reload(config(whistle.parent, streams=(Stream(id="yard", source=str(whistle)),), history=history))
    listener.until(lambda message: message.header["kind"] == "event" and message.header["state"] == "on")
    assert search(history) == ["yard"]


def test_nothing_is_kept_of_a_visitors_microphone(begin: Begin, push: Push, history: HistorySettings) -> None:
    service, listener = begin(history=history)
    for stream in ("browser-1", "desk"):
        push(service).push(stream, tone(4.5, 2900), rate=16000)
        listener.until(
            lambda message, stream=stream: message.header.get("stream") == stream and "onset" in message.header  # type: ignore[misc]
        )
    told = listener.until(lambda message: set(message.header.get("streams", [])) == {"browser-1", "desk"})
    assert told.header["private"] == ["browser-1"]
    service.stop()
    assert search(history) == ["desk"]


def test_a_stream_that_the_configuration_names_is_kept_whatever_its_name(
    begin: Begin, push: Push, whistle: Path, history: HistorySettings
) -> None:
    streams = (Stream(id="browser-room", source=str(whistle)), Stream(id="browser-desk", source="zmq:"))
    service, listener = begin(*streams, times=ServiceTimes(repeat=0.1), history=history)
    listener.state("browser-room", "ended")
    push(service).push("browser-desk", tone(4.5, 2900), rate=16000)
    listener.until(lambda message: message.header.get("stream") == "browser-desk" and "onset" in message.header)
    told = listener.until(lambda message: message.header["kind"] == "service")
    assert told.header["private"] == []
    service.stop()
    assert set(search(history)) == {"browser-room", "browser-desk"}
