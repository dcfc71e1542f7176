import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from streamtag.audio.block import Block
from streamtag.errors import SourceError
from streamtag.sources import Timeouts, open_source
from tests.sounds import chirp, noise, write


def read(path: Path | str, **options: object) -> tuple[list[Block], list[tuple[str, str]]]:
    states: list[tuple[str, str]] = []
    with open_source(str(path), on_state=lambda *told: states.append(told), **options) as source:  # type: ignore[arg-type]
        return list(source), states


def joined(blocks: list[Block]) -> np.ndarray:
    return np.concatenate([block.samples for block in blocks])


def convert(source: Path, target: Path, *options: str) -> Path:
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", source, *options, target], check=True)
    return target


def assert_unbroken(blocks: list[Block]) -> None:
    lengths = [len(block.samples) for block in blocks]
    assert [block.start for block in blocks] == [sum(lengths[:i]) for i in range(len(lengths))]


@pytest.mark.parametrize(
    ("subtype", "kind"), [("PCM_16", np.int16), ("PCM_24", np.int32), ("PCM_32", np.int32), ("FLOAT", np.float32)]
)
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_samples_come_as_they_are_in_the_file(tmp_path: Path, subtype: str, kind: type, channels: int) -> None:
    sound = np.stack([noise(2.5, seed=channel) for channel in range(channels)], axis=1)
    path = write(tmp_path / "a.wav", sound, subtype=subtype)
    blocks, states = read(path)
    expected = soundfile.read(path, dtype=np.dtype(kind).name, always_2d=True)[0]
    assert blocks[0].samples.dtype == kind
    np.testing.assert_array_equal(joined(blocks), expected)
    assert_unbroken(blocks)
    assert states == [("live", "")]


@pytest.mark.parametrize("subtype", ["PCM_U8", "DOUBLE"])
def test_other_sample_formats_become_float_at_the_same_rate(tmp_path: Path, subtype: str) -> None:
    path = write(tmp_path / "a.wav", np.stack([noise(1.3), noise(1.3, seed=1)], axis=1), 11025, subtype)
    blocks, _ = read(path)
    assert blocks[0].samples.dtype == np.float32
    assert blocks[0].rate == 11025
    np.testing.assert_allclose(joined(blocks), soundfile.read(path)[0], atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 44100, 192000])
def test_any_rate_is_left_as_it_is(tmp_path: Path, rate: int) -> None:
    blocks, _ = read(write(tmp_path / "a.flac", noise(1.0, rate), rate))
    assert {block.rate for block in blocks} == {rate}
    assert len(joined(blocks)) == rate


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg", "a.opus", "a.m4a", "a.aac", "a.mka", "a.flac"])
def test_compressed_recordings_sound_as_long_as_they_are(tmp_path: Path, name: str) -> None:
    path = convert(write(tmp_path / "a.wav", chirp(3.0, rate=48000), 48000), tmp_path / name)
    blocks, states = read(path)
    assert_unbroken(blocks)
    assert len(joined(blocks)) / blocks[0].rate == pytest.approx(3.0, abs=0.06)
    assert np.abs(joined(blocks)).max() > 0.1
    assert states == [("live", "")]


def test_the_sound_of_a_film_is_heard(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=2"]
    sound = ["-f", "lavfi", "-i", "sine=frequency=440:duration=2"]
    subprocess.run(["ffmpeg", "-v", "error", *picture, *sound, "-shortest", film], check=True)
    blocks, _ = read(film)
    assert len(joined(blocks)) / blocks[0].rate == pytest.approx(2.0, abs=0.1)


def test_fast_reading_gives_blocks_of_a_second(tmp_path: Path) -> None:
    blocks, _ = read(write(tmp_path / "a.wav", noise(10.0)))
    assert len(blocks) <= 11


@pytest.mark.parametrize("uri", ["{}", "file:{}", "file://{}"])
def test_a_path_may_be_written_in_three_ways(tmp_path: Path, uri: str) -> None:
    path = write(tmp_path / "a b#1.wav", noise(0.5))
    assert len(joined(read(uri.format(path))[0])) == 8000


def test_a_file_url_is_decoded(tmp_path: Path) -> None:
    write(tmp_path / "a b.wav", noise(0.5))
    for uri in (f"file://{tmp_path}/a%20b.wav", f"file://localhost{tmp_path}/a%20b.wav"):
        assert len(joined(read(uri)[0])) == 8000


def test_a_foreign_encoding_in_a_tag_does_not_matter(tmp_path: Path) -> None:
    path = convert(write(tmp_path / "a.wav", noise(1.0)), tmp_path / "a.mp3", "-metadata", "title=XXXX")
    path.write_bytes(path.read_bytes().replace(b"XXXX", b"\xff\xfe\xfd\xfc"))
    assert read(path)[0]


def bad_files(folder: Path) -> dict[str, Path]:
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("this is no sound at all\n" * 50)
    (folder / "noise.bin").write_bytes(np.random.default_rng(0).bytes(20000))
    write(folder / "nothing.wav", noise(0.0))
    (folder / "folder.wav").mkdir()
    whole = convert(write(folder / "whole.wav", noise(1.0)), folder / "whole.m4a")
    (folder / "headless.m4a").write_bytes(whole.read_bytes()[:2000])
    silent_film = folder / "silent.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=1"]
    subprocess.run(["ffmpeg", "-v", "error", *picture, silent_film], check=True)
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.wav", "no such file"),
        ("empty.wav", "is empty"),
        ("text.wav", "not audio"),
        ("noise.bin", "not audio"),
        ("nothing.wav", "holds no audio"),
        ("folder.wav", "not a file"),
        ("headless.m4a", "not audio"),
        ("silent.mp4", "no audio track"),
    ],
)
def test_a_file_without_sound_is_one_line_that_says_why(tmp_path: Path, name: str, reason: str) -> None:
    bad_files(tmp_path)
    with pytest.raises(SourceError, match=reason) as caught:
        read(tmp_path / name, loop=True)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.m4a"])
def test_a_truncated_recording_gives_what_is_there_and_says_so(tmp_path: Path, name: str) -> None:
    path = convert(write(tmp_path / "b.wav", noise(4.0)), tmp_path / name, "-movflags", "faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    blocks, states = read(path)
    assert 1.5 < len(joined(blocks)) / blocks[0].rate < 2.5
    assert states[0] == ("live", "")
    assert "ended early" in states[-1][1]


def test_a_damaged_middle_is_skipped_keeps_its_place_and_is_told(tmp_path: Path) -> None:
    path = convert(write(tmp_path / "b.wav", chirp(6.0)), tmp_path / "a.flac")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + len(data) // 10] = bytes(len(data) // 10)
    path.write_bytes(data)
    blocks, states = read(path)
    assert (blocks[-1].start + len(blocks[-1].samples)) / blocks[-1].rate == pytest.approx(6.0, abs=0.1)
    assert len(joined(blocks)) / blocks[0].rate < 5.9
    assert "damaged" in states[-1][1]


def test_a_loop_is_one_unbroken_stream(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(0.7), subtype="FLOAT")
    once = joined(read(path)[0])
    states: list[tuple[str, str]] = []
    blocks = []
    with open_source(str(path), loop=True, on_state=lambda *told: states.append(told)) as source:
        for block in source:
            blocks.append(block)
            if len(blocks) == 5:
                source.close()
    assert_unbroken(blocks)
    np.testing.assert_array_equal(joined(blocks), np.concatenate([once] * 5))
    assert states == [("live", "")]


def test_real_time_keeps_the_pace_of_the_clock(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(1.0))
    begin, begin_clock = time.time(), time.monotonic()
    blocks, _ = read(path, realtime=True)
    assert time.monotonic() - begin_clock >= 1.0
    assert len(blocks) == pytest.approx(10, abs=2)
    for block in blocks:
        end_seconds = (block.start + len(block.samples)) / block.rate
        assert block.time >= begin + end_seconds - 0.01


def test_a_block_that_goes_out_late_tells_when_it_was_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source: Any = open_source(str(write(tmp_path / "a.wav", noise(0.5))), realtime=True)
    monkeypatch.setattr(source._closed, "wait", lambda seconds: time.sleep(seconds + 0.15))
    blocks = list(source)
    seconds = [len(block.samples) / block.rate for block in blocks[1:]]
    assert np.diff([block.time for block in blocks]) == pytest.approx(seconds, abs=0.05)


def test_closing_wakes_a_source_that_waits_for_its_time(tmp_path: Path) -> None:
    source = open_source(str(write(tmp_path / "a.wav", noise(60.0))), realtime=True)
    heard = threading.Event()

    def listen() -> None:
        for _ in source:
            heard.set()

    reader = threading.Thread(target=listen, daemon=True)
    reader.start()
    assert heard.wait(60)
    source.close()
    reader.join(60)
    assert not reader.is_alive()


STARVED = """
import resource, sys
from streamtag.sources import open_source, Timeouts
haste = Timeouts(first_delay=0.05, longest_delay=0.1)
states, after = [], 0

def hear(state, reason):
    states.append((state, reason.split(" after")[0]))
    if state == "reconnecting":
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))

starve_at = int(sys.argv[2])
with open_source(sys.argv[1], loop=True, timeouts=haste, on_state=hear) as source:
    if not starve_at:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 1024))
    for number, block in enumerate(source):
        if starve_at and number == starve_at:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, 1024))
        after += len(states) > 1
        if after > 10:
            break
print(states)
"""


@pytest.mark.parametrize(
    ("starve_at", "states"),
    [
        (5, "[('live', ''), ('reconnecting', 'too many open files'), ('live', 'back')]"),
        (0, "[('reconnecting', 'too many open files'), ('live', '')]"),
    ],
)
def test_a_loop_goes_on_after_a_want_of_descriptors(tmp_path: Path, starve_at: int, states: str) -> None:
    path = write(tmp_path / "a.wav", noise(1.0))
    command = [sys.executable, "-c", STARVED, str(path), str(starve_at)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"{states}\n", done.stderr


def test_a_looped_file_that_is_away_for_a_while_comes_back_and_the_time_without_it_is_lost(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(0.3))
    hidden = tmp_path / "hidden"
    states: list[tuple[str, str]] = []
    haste = Timeouts(first_delay=0.05, longest_delay=0.1)

    def hear(state: str, reason: str) -> None:
        states.append((state, reason))
        if state == "reconnecting" and hidden.exists() and len(states) > 4:
            hidden.rename(path)

    begin = time.monotonic()
    with open_source(str(path), loop=True, realtime=True, timeouts=haste, on_state=hear) as source:
        blocks = []
        for block in source:
            blocks.append(block)
            if len(blocks) == 3:
                path.rename(hidden)
            if states[-1][1].startswith("back after"):
                break
    assert states[0] == ("live", "")
    assert {state for state, _ in states[1:-1]} == {"reconnecting"}
    assert blocks[-1].start > blocks[-2].start + len(blocks[-2].samples)
    assert blocks[-1].start / blocks[-1].rate < time.monotonic() - begin


def test_a_file_that_was_never_there_is_no_matter_of_patience(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no sound")
    with pytest.raises(SourceError):
        read(tmp_path / "a.wav", loop=True)
