import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from streamtag.sources.decoder import Chunk, Parcel
from streamtag.sources.ffmpeg import AudioReader
from tests.media import bomb, encode, film
from tests.sounds import noise, write

RATE = 16000
READ_ALL = """
import gc, json, sys
from streamtag.sources.ffmpeg import AudioReader
found = {}
for path in sys.argv[1:]:
    with AudioReader("file:" + path) as reader:
        chunks = list(reader.chunks(1.0))
    found[path] = [chunks[0].samples.shape[1], sum(len(chunk.samples) / chunk.rate for chunk in chunks)]
    del reader, chunks
    gc.collect()
print(json.dumps(found))
"""


@pytest.fixture
def parcels(tmp_path: Path) -> tuple[AudioReader, list[Parcel]]:
    """A reader of 3 s of sound, and all that it reads; it is closed by then."""
    with AudioReader(str(write(tmp_path / "a.wav", noise(3.0)))) as reader:
        return reader, list(reader.parcels(0.2))


def samples(chunks: list[Chunk]) -> int:
    return sum(len(chunk.samples) for chunk in chunks)


def test_parcels_are_as_long_as_they_are_wished_and_hold_everything(parcels: tuple[AudioReader, list[Parcel]]) -> None:
    reader, read = parcels
    assert all(0.2 <= parcel.seconds < 0.5 for parcel in read[:-2])
    assert sum(parcel.seconds for parcel in read) == pytest.approx(3.0)
    assert samples([chunk for parcel in read for chunk in reader.decoder.decode(parcel)]) == 3 * RATE


def test_what_is_skipped_is_missing_once(parcels: tuple[AudioReader, list[Parcel]]) -> None:
    reader, read = parcels
    decoder = reader.decoder
    dropped = sum(parcel.seconds for parcel in read[2:5])
    before = [chunk for parcel in read[:2] for chunk in decoder.decode(parcel)]
    decoder.skip(dropped)
    after = [chunk for parcel in read[5:] for chunk in decoder.decode(parcel)]
    np.testing.assert_allclose([chunk.skipped_seconds for chunk in before + after[1:]], 0.0)
    assert after[0].skipped_seconds == pytest.approx(dropped)
    assert samples(before + after) / RATE + dropped == pytest.approx(3.0)


def test_what_the_time_stamps_jump_over_is_missing(parcels: tuple[AudioReader, list[Parcel]]) -> None:
    reader, read = parcels
    chunks = [chunk for parcel in read[:2] + read[5:] for chunk in reader.decoder.decode(parcel)]
    chunks += reader.decoder.finish()
    assert sum(chunk.skipped_seconds for chunk in chunks) == pytest.approx(sum(parcel.seconds for parcel in read[2:5]))


def read_elsewhere(*paths: Path) -> dict[str, list[float]]:
    """Channels and seconds of each, read in another process, which a fault of a library may end."""
    done = subprocess.run([sys.executable, "-c", READ_ALL, *paths], capture_output=True, text=True)
    assert done.returncode == 0, (done.returncode, done.stderr)
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def test_planar_sound_of_many_channels_is_read(tmp_path: Path) -> None:
    kinds = {"7.1.m4a": ("7.1", "aac"), "wide.m4a": ("7.1(wide)", "alac"), "16.mka": ("hexadecagonal", "aac")}
    paths = [encode(tmp_path / name, "-c:a", codec, layout=layout) for name, (layout, codec) in kinds.items()]
    found = read_elsewhere(*paths)
    assert [channels for channels, _ in found.values()] == [8, 8, 16]
    assert [seconds for _, seconds in found.values()] == pytest.approx([1.0] * 3, abs=0.1)


def test_sound_whose_channels_are_named_one_by_one_is_read(tmp_path: Path) -> None:
    paths = [
        encode(tmp_path / f"{codec}.{container}", "-c:a", codec, layout="7.1")
        for codec in ("pcm_s16le", "pcm_s24be", "pcm_f32le")
        for container in ("mov", "caf")
    ]
    found = read_elsewhere(*paths)
    assert list(found.values()) == [[8, pytest.approx(1.0)]] * 6


@pytest.mark.parametrize("suffix", ["avi", "mpg", "vob"])
def test_a_picture_that_ends_early_is_not_searched_to_the_end(tmp_path: Path, suffix: str) -> None:
    path = film(tmp_path / f"film.{suffix}", 1.0, 120.0)
    with AudioReader(f"file:{path}") as reader:
        next(reader.chunks(1.0))
        [place] = [
            int(Path(f"/proc/self/fdinfo/{number}").read_text().split()[1])
            for number in os.listdir("/proc/self/fd")
            if os.path.realpath(f"/proc/self/fd/{number}") == str(path)
        ]
    assert place < path.stat().st_size / 2


def test_what_packets_claim_to_last_does_not_decide_how_much_is_decoded_at_once(tmp_path: Path) -> None:
    path = bomb(tmp_path / "bomb.m4a", 300.0)
    with AudioReader(f"file:{path}") as reader:
        chunks = list(reader.chunks(1.0))
    assert samples(chunks) / 48000 > 200
    assert max(len(chunk.samples) for chunk in chunks) < 15 * 48000


def test_a_track_that_shows_only_later_does_not_end_the_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyAV knows the tracks of the beginning alone, and fails at the first packet of another one."""
    with AudioReader(str(write(tmp_path / "a.wav", noise(3.0)))) as reader:
        container = reader._container
        times = 0

        class Late:
            def demux(self, track: object) -> Iterator[object]:
                nonlocal times
                for number, packet in enumerate(container.demux(track)):
                    yield packet
                    if number == 3 and times < 2:
                        times += 1
                        raise IndexError("list index out of range")

        monkeypatch.setattr(reader, "_container", Late())
        assert samples(list(reader.chunks(1.0))) == 3 * RATE
        monkeypatch.undo()
    assert times == 2
