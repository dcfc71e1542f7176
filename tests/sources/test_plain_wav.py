"""WAV files of 16-bit PCM are read as FFmpeg reads them, and what only looks like one is left to it."""

import io
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from streamtag.sources.ffmpeg import AudioReader
from streamtag.sources.plain_wav import plain_wav

RATE = 16000
TONE = (3000 * np.sin(np.arange(3 * RATE) / 10)).astype("<i2")


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(content) if size is None else size) + content + b"\0" * (len(content) % 2)


def form(channels: int = 1, rate: int = RATE, bits: int = 16, tag: int = 1) -> bytes:
    width = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * width, width, bits))


def wav(*chunks: bytes, size: int | None = None) -> bytes:
    return chunk(b"RIFF", b"WAVE" + b"".join(chunks), size)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def read(path: Path, seconds: float = 0.7) -> np.ndarray:
    chunks = plain_wav(path, seconds)
    assert chunks is not None
    return np.concatenate([each.samples for each in chunks])


@given(
    channels=some.integers(1, 8),
    rate=some.sampled_from([8000, 16000, 44100]),
    frames=some.integers(1, 40000),
    before=some.sampled_from([b"", chunk(b"LIST", b"INFOabc")]),
)
def test_samples_are_those_that_ffmpeg_reads(
    tmp_path_factory: pytest.TempPathFactory, channels: int, rate: int, frames: int, before: bytes
) -> None:
    # Of small positive numbers no bytes look like coded sound.
    samples = np.random.default_rng(frames).integers(1, 2000, (frames, channels)).astype("<i2")
    path = tmp_path_factory.getbasetemp() / "made.wav"
    write(path, wav(before, form(channels, rate), chunk(b"data", samples.tobytes()), chunk(b"LIST", b"INFO")))
    np.testing.assert_array_equal(read(path), samples)
    with AudioReader(str(path), {"max_probe_packets": "4"}) as reader:
        np.testing.assert_array_equal(np.concatenate([each.samples for each in reader.chunks(1.0)]), samples)


def test_a_file_that_is_cut_gives_what_is_there(tmp_path: Path) -> None:
    whole = wav(form(2), chunk(b"data", TONE.tobytes()))
    np.testing.assert_array_equal(read(write(tmp_path / "cut.wav", whole[:-5001])), TONE[:-2502].reshape(-1, 2))


def coded(codec: str, container: str) -> bytes:
    """Return a tone in another codec, as a stream."""
    made = io.BytesIO()
    with av.open(made, "w", container) as out:
        track: Any = out.add_stream(codec, rate=48000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.repeat(TONE, 2)[np.newaxis], "s16", "stereo")
        frame.sample_rate = 48000
        out.mux(track.encode(frame))
        out.mux(track.encode(None))
    return made.getvalue()


@pytest.mark.parametrize(
    ("codec", "container"), [("ac3", "ac3"), ("ac3", "spdif"), ("aac", "adts"), ("libmp3lame", "mp3")]
)
def test_sound_that_is_coded_and_stored_as_if_it_were_pcm_is_left_to_ffmpeg(
    tmp_path: Path, codec: str, container: str
) -> None:
    content = coded(codec, container)
    path = write(tmp_path / "coded.wav", wav(form(2, 48000), chunk(b"data", content + b"\0" * (-len(content) % 4))))
    assert plain_wav(path, 1.0) is None


@pytest.mark.parametrize("word", ["7ffe8001", "fe7f0180", "1fffe800", "ff1f00e8"])
def test_so_is_dts_in_any_of_its_forms(tmp_path: Path, word: str) -> None:
    content = TONE[:1000].tobytes() + bytes.fromhex(word) + TONE.tobytes()
    assert plain_wav(write(tmp_path / "dts.wav", wav(form(2, 48000), chunk(b"data", content))), 1.0) is None


DATA = chunk(b"data", TONE.tobytes())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        wav(form()),
        wav(DATA, form()),
        wav(form(bits=24), DATA),
        wav(form(tag=3, bits=32), DATA),
        wav(form(tag=85), DATA),
        wav(form(channels=9), DATA),
        wav(form(rate=0), DATA),
        wav(form(), chunk(b"data", TONE.tobytes(), size=0)),
        wav(form(), DATA, size=100),
        wav(form(), DATA, DATA),
        wav(form(), DATA, chunk(b"more", bytes(100_000))),
    ],
    ids=[
        "empty",
        "cut-header",
        "no-data",
        "data-first",
        "24-bit",
        "float",
        "mp3",
        "nine-channels",
        "no-rate",
        "unknown-length",
        "wrong-length",
        "data-twice",
        "much-behind-it",
    ],
)
def test_what_is_not_plainly_16_bit_pcm_is_left_to_ffmpeg(tmp_path: Path, content: bytes) -> None:
    assert plain_wav(write(tmp_path / "other.wav", content), 1.0) is None


@given(some.lists(some.tuples(some.integers(0, 71), some.integers(0, 255)), min_size=1, max_size=8))
@example([(16, 0)])  # a chunk that goes on behind the file
def test_a_damaged_header_is_read_or_left_to_ffmpeg(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, int]]
) -> None:
    content = bytearray(wav(chunk(b"LIST", b"INFOabc"), form(2), DATA))
    for offset, byte in damage:
        content[offset] = byte
    chunks = plain_wav(write(tmp_path_factory.getbasetemp() / "damaged.wav", bytes(content)), 1.0)
    assert chunks is None or sum(len(each.samples) for each in chunks) <= len(TONE)


def test_so_are_other_names_and_files_that_are_not_there(tmp_path: Path) -> None:
    assert plain_wav(write(tmp_path / "plain.aif", wav(form(), DATA)), 1.0) is None
    assert plain_wav(tmp_path / "nowhere.wav", 1.0) is None
