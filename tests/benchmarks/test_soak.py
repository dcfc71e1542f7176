"""`benchmarks/soak.py`: its stations, and what it judges by."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.soak import Heard, report
from benchmarks.stations import RATE, TransportStream, moment_of, sound_of
from streamtag.audio import Block, Patcher
from streamtag.sources.ffmpeg import AudioReader


def heard(begin: float, seconds: float, late: float = 0.0) -> Heard:
    """What a service would tell of a station's sound, whose times are wrong by `late`."""
    patcher = Patcher()
    told = Heard()
    sound = sound_of(begin, round(seconds * RATE))
    for patch in patcher.feed(Block(sound, 0, RATE, begin + seconds + late)):
        told.starts.append(patch.start / RATE)
        told.times.append(patch.time)
        told.levels.append(patch.rms_dbfs)
        told.ages.append(0.5)
    return told


@pytest.mark.parametrize("late", [0.0, 0.7, -1.5])
def test_the_level_of_a_station_s_sound_tells_when_it_was_made(late: float) -> None:
    errors = heard(1000.0, 150.0, late).errors()
    assert len(errors) > 100
    np.testing.assert_allclose(errors, late, atol=0.05)


def test_what_is_on_time_holds_and_what_is_late_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert report("steady", heard(1000.0, 150.0))
    assert not report("steady", heard(1000.0, 150.0, late=1.5))
    assert not report("steady", Heard())
    assert "nothing was heard" in capsys.readouterr().out


def test_a_transport_stream_holds_the_sound_that_was_encoded(tmp_path: Path) -> None:
    stream = TransportStream(1.2, 3600.0)
    path = tmp_path / "a.ts"
    path.write_bytes(stream.encode(sound_of(1030.0, 10 * 1152)) + stream.finish())
    with AudioReader(str(path)) as reader:
        samples = np.concatenate([chunk.samples for chunk in reader.chunks(1.0)])
    assert len(samples) == 10 * 1152
    level = 20 * np.log10(np.sqrt(np.mean(samples[2000:10000] ** 2)))
    assert moment_of(level) == pytest.approx(1030.0 % 60 + 6000 / RATE, abs=0.3)
