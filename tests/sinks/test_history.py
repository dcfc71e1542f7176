from pathlib import Path

import pytest

from streamtag.history import HistoryReader
from streamtag.settings import Config, HistorySettings, Stream
from streamtag.sinks.sink import SinkMessage
from streamtag.sinks.table import open_local
from streamtag.wire.messages import Header
from tests.history.conftest import NOW, patch
from tests.wire import samples


def told(header: Header, **fields: object) -> SinkMessage:
    for name, value in fields.items():
        setattr(header, name, value)
    return SinkMessage(header)


@pytest.mark.parametrize("state", ["live", "reconnecting"])
def test_events_are_kept_with_the_sound_around_them_until_a_stream_is_interrupted(tmp_path: Path, state: str) -> None:
    path = tmp_path / "history.sqlite"
    (sink,) = open_local(Config(history=HistorySettings(path=str(path), keep_days=36500.0, clips=True)))
    header = samples.service().header
    sink.start()
    sink.hear("porch", patch(0))
    sink.take(told(samples.event().header, onset=0.5, onset_time=NOW + 0.5))
    sink.take(told(samples.status().header, state=state))
    sink.take(told(samples.event().header, state="off", onset=0.5, offset=0.96, onset_time=NOW + 0.5))
    sink.stop(10)
    sink.describe(header)
    (found,) = HistoryReader(path).search()
    assert (found.stream, found.label, found.onset, found.offset, found.time) == ("porch", "Dog", 0.5, 0.96, NOW + 0.5)
    assert found.has_clip == (state == "reconnecting")  # as much as was heard, or not enough yet
    assert header.history is not None
    assert header.history.dropped == 0


def test_nothing_is_kept_of_a_stream_from_when_the_configuration_keeps_it_out(tmp_path: Path) -> None:
    history = HistorySettings(path=str(tmp_path / "history.sqlite"), keep_days=36500.0)
    (sink,) = open_local(Config(history=history))
    sink.start()
    sink.take(told(samples.event().header, id=1))
    sink.go_by(Config(history=history, streams=(Stream(id="porch", source="mic:", keep=False),)))
    sink.take(told(samples.event().header, id=1, state="off", offset=0.96))
    sink.take(told(samples.event().header, id=2))
    sink.take(told(samples.event("yard").header, id=2))
    sink.stop(10)
    found = HistoryReader(tmp_path / "history.sqlite").search()
    assert sorted((event.stream, event.offset) for event in found) == [("porch", 0.96), ("yard", None)]
