import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.audio import log_mel
from streamtag.engine.level_meter import LevelMeter
from streamtag.wire.messages import LevelsHeader, Outgoing
from tests.sounds import chirp

SOUND = chirp(1.0)


class Meter:
    def __init__(self, watched: bool = True) -> None:
        self.sent: list[Outgoing] = []
        self.meter = LevelMeter("yard", self.sent.extend, lambda _: watched)

    def headers(self) -> list[LevelsHeader]:
        return [message.header for message in self.sent if isinstance(message.header, LevelsHeader)]

    def columns(self) -> np.ndarray:
        return np.concatenate([np.frombuffer(message.payload, np.uint8).reshape(-1, 64) for message in self.sent])


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=30))
def test_columns_are_those_of_the_front_end_however_the_sound_is_cut(sizes: list[int]) -> None:
    watched = Meter()
    start = 0
    for size in sizes:
        part = SOUND[start : start + size]
        watched.meter.add_samples(start, part, 0.0)
        start += len(part)
        if start >= len(SOUND):
            break
    if not watched.sent:
        assert start < 2160
        return
    columns = watched.columns()
    expected = log_mel(SOUND)[0][: len(columns)]
    assert np.abs(columns[:96] / 24 - 5 - expected[: len(columns)]).max() <= 0.5 / 24 + 1e-4
    assert len(columns) == 12 * ((start - 240) // 1920)


def test_nothing_is_made_while_nobody_watches() -> None:
    alone = Meter(watched=False)
    alone.meter.add_samples(0, SOUND, 0.0)
    assert not alone.sent


def test_each_message_tells_its_own_stretch_level_and_time() -> None:
    watched = Meter()
    watched.meter.add_samples(0, SOUND, 100.0)
    headers = watched.headers()
    assert [round(header.start, 2) for header in headers[:3]] == [0.0, 0.12, 0.24]
    assert [round(header.end, 2) for header in headers[:3]] == [0.12, 0.24, 0.36]
    assert headers[0].time == pytest.approx(99.0 + 2160 / 16000)
    assert headers[0].rms_dbfs == pytest.approx(-9.03, abs=0.1)


def test_lost_audio_begins_a_new_stretch_where_the_sound_goes_on() -> None:
    watched = Meter()
    watched.meter.add_samples(0, SOUND[:3000], 0.0)
    watched.meter.add_samples(8000, SOUND[8000:11000], 0.0)
    assert [header.start for header in watched.headers()] == [0.0, 0.5]


def test_a_recording_read_at_once_does_not_flood_who_watches() -> None:
    watched = Meter()
    for second in range(600):
        watched.meter.add_samples(second * 16000, SOUND, 0.0)
    assert len(watched.sent) < 200
