"""Examples from recordings: which part of which file, and what of it is heard."""

from pathlib import Path

import numpy as np
import pytest

from streamtag.errors import InputError, SourceError
from streamtag.heads import HeadError
from streamtag.tagging import TaggingPool
from streamtag.teaching import Span, read_examples, read_span
from tests.sounds import noise, tone, write


def test_a_span_is_seconds_behind_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_span("a/b.wav@1.5-3") == Span("a/b.wav", 1.5, 3.0)
    assert read_span("me@home.wav") == Span("me@home.wav")
    monkeypatch.chdir(tmp_path)
    Path("odd.wav@1-2").touch()
    assert read_span("odd.wav@1-2") == Span("odd.wav@1-2")
    with pytest.raises(InputError, match=r"a\.wav@3-1: the span ends before it begins: write a\.wav@START-END"):
        read_span("a.wav@3-1")


def test_what_is_silent_is_left_out_and_a_span_takes_its_part_alone(pool: TaggingPool, tmp_path: Path) -> None:
    silence = np.zeros(48_000, np.float32)
    whole = write(tmp_path / "whole.wav", np.concatenate([silence, tone(3.0), silence]))
    silent = write(tmp_path / "silent.wav", silence)
    told: list[str] = []
    examples = read_examples([Span(str(whole)), Span(str(silent))], pool, note=told.append)
    assert set(examples.sources) == {str(whole)}
    assert 3 <= len(examples.sources) <= 5
    assert told == [f"{silent}: it is silent, and left out"]
    part = read_examples([Span(str(whole), 3.0, 4.92)], pool)
    assert part.vectors.shape == (2, 512)
    with pytest.raises(HeadError, match="there is no example that can be heard: all are silent"):
        read_examples([Span(str(silent))], pool)
    with pytest.raises(SourceError, match="no audio from second 20 on"):
        read_examples([Span(str(whole), 20.0, 21.0)], pool)
    with pytest.raises(SourceError, match="no such file"):
        read_examples([Span(str(tmp_path / "none.wav"))], pool)


def test_a_long_recording_has_to_say_where_it_sounds(pool: TaggingPool, tmp_path: Path) -> None:
    path = write(tmp_path / "long.wav", noise(9.0))
    with pytest.raises(SourceError, match=r"longer than 4.8 s: say where it sounds, such as .*long\.wav@12\.5-14"):
        read_examples([Span(str(path))], pool, most_seconds=4.8)
    assert len(read_examples([Span(str(path), 6.0, 8.0)], pool, most_seconds=4.8).sources) == 2


def test_of_ten_thousand_recordings_a_thousand_are_read(tmp_path: Path) -> None:
    class Counting:
        asked = 0

        def embed(self, path: str, begin: float, end: float) -> None:
            self.asked += 1
            raise SourceError("enough")

    told: list[str] = []
    pool = Counting()
    with pytest.raises(SourceError, match="enough"):
        read_examples([Span(f"{number}.wav") for number in range(10_000)], pool, note=told.append)  # type: ignore[arg-type]
    assert pool.asked <= 1000
    assert told == ["1000 of the 10000 recordings are taken, evenly among them: more would change little"]
