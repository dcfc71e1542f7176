from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from streamtag.events import EventRules
from streamtag.history import HistoryReader
from streamtag.labels import LabelSet
from streamtag.settings import Config, EventSettings, HistorySettings, Stream
from streamtag.sinks.opening import open_local
from streamtag.sinks.sink import SinkMessage
from streamtag.wire import ServiceHeader
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
    assert isinstance(header, ServiceHeader)
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
    config = Config(history=history, streams=(Stream(id="porch", source="mic:", keep=False),))
    sink.go_by(config, [EventRules(LabelSet(["Dog"]), config.events)])
    sink.take(told(samples.event().header, id=1, state="off", offset=0.96))
    sink.take(told(samples.event().header, id=2))
    sink.take(told(samples.event("yard").header, id=2))
    sink.stop(10)
    found = HistoryReader(tmp_path / "history.sqlite").search()
    assert sorted((event.stream, event.offset) for event in found) == [("porch", 0.96), ("yard", None)]


@pytest.mark.parametrize("spoken", [None, 0, 1, 2, 3, 4, 5, 6])
def test_the_event_is_kept_and_its_recording_is_not_where_somebody_speaks_in_its_span(
    tmp_path: Path, spoken: int | None
) -> None:
    history = HistorySettings(
        path=str(tmp_path / "history.sqlite"), keep_days=36500.0, clips=True, clip_seconds=2.4, no_clip_when=("Speech",)
    )
    config = Config(history=history, events=EventSettings(on=0.6, off=0.25))
    (sink,) = open_local(config)
    labels = LabelSet(["Dog", "Speech"])
    sink.go_by(config, [EventRules(labels, config.events)])
    sink.start()
    for index in range(7):
        sink.hear("porch", patch(index))
        scores = np.array([0.0, 0.25 if index == spoken else 0.24], np.float32)
        sink.take(SinkMessage(replace(samples.scores("porch").header, labels_hash=labels.hash), scores, scores))
        if index == 2:  # from 2.4 s on, so that the clip is of 1.8 s to 4.2 s: of patches 1 to 4
            sink.take(told(samples.event().header, onset=2.4, onset_time=NOW + 2.4))
    sink.stop(10)
    (found,) = HistoryReader(tmp_path / "history.sqlite").search()
    assert found.label == "Dog"
    assert found.has_clip == (spoken not in (1, 2, 3, 4))
