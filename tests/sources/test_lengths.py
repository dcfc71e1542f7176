"""How long recordings are, in many containers and codecs: whole ones, and cut ones."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from streamtag.audio.block import Block
from streamtag.errors import SourceError
from streamtag.sources import open_source
from streamtag.sources.containers import is_encrypted
from streamtag.sources.whole import is_cut
from tests.media import encode_all, matroska
from tests.sounds import noise, write

EXACT, PADDED = 0.001, 0.08
# Name and codec, how far the length may be off, and whether the file tells how long it should be.
RECORDINGS = {
    "a.wav": ("pcm_s16le", EXACT, True),
    "float.wav": ("pcm_f32le", EXACT, True),
    "adpcm.wav": ("adpcm_ms", PADDED, True),
    "law.wav": ("pcm_mulaw", EXACT, True),
    "a.rf64": ("pcm_s16le -f wav -rf64 always", EXACT, True),
    "a.w64": ("pcm_s16le", EXACT, True),
    "a.aiff": ("pcm_s16be", EXACT, True),
    "a.au": ("pcm_s16be", EXACT, True),
    "pcm.caf": ("pcm_s16be", EXACT, True),
    "alac.caf": ("alac", EXACT, True),
    "a.flac": ("flac", EXACT, True),
    "a.tta": ("tta", EXACT, True),
    "a.wv": ("wavpack", EXACT, True),
    "a.mp3": ("libmp3lame", PADDED, True),
    "back.m4a": ("aac", PADDED, True),
    "aac.m4a": ("aac -movflags +faststart", PADDED, True),
    "alac.m4a": ("alac -movflags +faststart", EXACT, True),
    "flac.mp4": ("flac -movflags +faststart", EXACT, True),
    "a.mov": ("pcm_s16le -movflags +faststart", EXACT, True),
    "pieces.mp4": ("aac -movflags +frag_keyframe+empty_moov -frag_duration 200000", PADDED, True),
    "pcm.mkv": ("pcm_s16le", EXACT, True),
    "aac.mkv": ("aac", PADDED, True),
    "opus.webm": ("libopus -ar 48000", PADDED, True),
    "vorbis.webm": ("libvorbis", PADDED, True),
    "a.mka": ("flac", EXACT, True),
    "vorbis.ogg": ("libvorbis -page_duration 100000", PADDED, True),
    "flac.ogg": ("flac -page_duration 100000", EXACT, True),
    "a.opus": ("libopus -ar 48000 -page_duration 100000", PADDED, True),
    "a.spx": ("libspeex -ar 16000", PADDED, True),
    "pcm.avi": ("pcm_s16le", EXACT, True),
    "mp3.avi": ("libmp3lame", PADDED, True),
    "a.wma": ("wmav2", PADDED, True),
    "mp3.flv": ("libmp3lame", PADDED, True),
    "aac.flv": ("aac", PADDED, True),
    "flac.nut": ("flac", EXACT, False),
    "aac.ts": ("aac", PADDED, False),
    "a.mpg": ("mp2", PADDED, False),
    "a.mp2": ("mp2", PADDED, False),
    "a.aac": ("aac", PADDED, False),
    "a.ac3": ("ac3", PADDED, False),
    "a.eac3": ("eac3", PADDED, False),
    "a.dts": ("dca -ar 48000", PADDED, False),
    "a.rm": ("ac3", PADDED, True),
    "a.sox": ("pcm_s32le", EXACT, False),
    "a.voc": ("pcm_u8", PADDED, False),
}
INDEX_AT_THE_END = {"alac.caf", "back.m4a"}  # without it nothing can be played
SECONDS = 4.0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    options = {name: ["-c:a", *codec.split()] for name, (codec, _, _) in RECORDINGS.items()}
    return encode_all(tmp_path_factory.mktemp("made"), options, SECONDS)


def read(path: Path) -> tuple[list[Block], str]:
    """A recording's blocks, and what is said of it."""
    states: list[tuple[str, str]] = []
    with open_source(f"file:{path}", on_state=lambda *told: states.append(told)) as source:
        blocks = list(source)
    assert states[0] == ("live", "")
    return blocks, "; ".join(reason for _, reason in states if reason)


def seconds(blocks: list[Block]) -> float:
    return (blocks[-1].start + len(blocks[-1].samples)) / blocks[-1].rate


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_whole_recording_lasts_as_long_as_what_was_encoded_and_nothing_is_said(
    made: dict[str, Path], name: str
) -> None:
    blocks, remark = read(made[name])
    assert remark == ""
    assert seconds(blocks) == pytest.approx(SECONDS, abs=RECORDINGS[name][1])
    assert np.abs(np.concatenate([block.samples[:, 0] for block in blocks])).max() > 0


@pytest.mark.parametrize("name", [name for name, (_, _, tells) in RECORDINGS.items() if tells])
@pytest.mark.parametrize("kept", [0.45, 0.83])
def test_a_cut_recording_gives_what_is_there_and_says_so(
    made: dict[str, Path], tmp_path: Path, name: str, kept: float
) -> None:
    data = made[name].read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: int(len(data) * kept)])
    if name in INDEX_AT_THE_END:
        with pytest.raises(SourceError, match="shorter than its header says"):
            read(path)
        return
    blocks, remark = read(path)
    assert remark.startswith("ended early after")
    assert seconds(blocks) < SECONDS


@pytest.mark.parametrize("name", [name for name, (_, _, tells) in RECORDINGS.items() if not tells])
def test_where_nothing_tells_the_length_a_cut_is_no_damage(made: dict[str, Path], tmp_path: Path, name: str) -> None:
    data = made[name].read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: len(data) // 2])
    _, remark = read(path)
    assert "damaged" not in remark


@given(st.data())
def test_a_cut_anywhere_shows_in_the_bytes(made: dict[str, Path], data: st.DataObject) -> None:
    names = (
        "a.wav",
        "a.rf64",
        "a.w64",
        "a.aiff",
        "a.au",
        "pcm.caf",
        "aac.m4a",
        "aac.mkv",
        "opus.webm",
        "pcm.avi",
        "a.wma",
    )
    path = made[data.draw(st.sampled_from(names))]
    whole = path.read_bytes()
    kept = data.draw(st.integers(len(whole) // 3, len(whole) - 17))
    cut = path.with_name("cut")
    cut.write_bytes(whole[:kept])
    assert is_cut(cut)
    cut.write_bytes(whole)
    assert not is_cut(cut)


@given(st.binary(max_size=200), st.sampled_from(sorted(RECORDINGS)), st.integers(0, 400))
def test_a_header_that_makes_no_sense_says_nothing_and_raises_nothing(
    made: dict[str, Path], junk: bytes, name: str, at: int
) -> None:
    path = made[name].with_name("junk")
    whole = bytearray(made[name].read_bytes()[:2000])
    whole[at : at + len(junk)] = junk
    path.write_bytes(whole)
    assert is_cut(path) in (True, False)


@pytest.mark.parametrize(
    "head",
    [
        b"\x1a\x45\xdf\xa3\x01" + b"\xff" * 20,
        b"\x1a\x45\xdf\xa3\x00" * 5,
        b"\0\0\0\x01moov" + b"\xff" * 8 + b"\0" * 8,
        b"\0\0\0\x01mdat" + b"\x7f" + b"\xff" * 7 + b"\0" * 8,
        b"caff\0\x01\0\0desc" + b"\x3f" + b"\xff" * 7,
        b"RIFF\xff\xff\0\0WAVEfmt \xff\xff\xff\xff",
        b"FLV\x01\x05\xff\xff\xff\xff" + b"\0" * 20,
        b"OggS",
    ],
)
def test_lengths_beyond_all_bounds_are_no_error(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(head)
    assert is_cut(path) in (True, False)
    assert not is_encrypted(path)


FORMS = {
    "DSF": b"DSD " + (28).to_bytes(8, "little") + (1000).to_bytes(8, "little"),
    "DSDIFF": b"FRM8" + (988).to_bytes(8, "big") + b"DSD ",
    "RIFX": b"RIFX" + (992).to_bytes(4, "big") + b"WAVEdata" + (980).to_bytes(4, "big"),
    "little-endian AU": b"dns." + (24).to_bytes(4, "little") + (976).to_bytes(4, "little"),
    "BW64": b"BW64\xff\xff\xff\xffWAVEds64" + (28).to_bytes(4, "little") + bytes(8) + (944).to_bytes(8, "little")
    + bytes(12) + b"data\xff\xff\xff\xff",
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_rarer_containers_tell_of_a_cut_too(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(FORMS[form].ljust(1000, b"\0"))
    assert not is_cut(path)
    path.write_bytes(FORMS[form].ljust(700, b"\0"))
    assert is_cut(path)


@given(
    samples=st.integers(1, 40_000),
    rate=st.sampled_from([4000, 8000, 11025, 22050, 44100, 48000, 96000, 192_000]),
    channels=st.integers(1, 6),
    form=st.sampled_from(["wav", "flac", "aiff", "au", "w64", "caf", "rf64", "mka"]),
)
def test_not_a_sample_is_missing_or_added(
    tmp_path_factory: pytest.TempPathFactory, samples: int, rate: int, channels: int, form: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"exact.{form}"
    sound = np.resize(noise(0.1), (samples, channels))
    if form == "mka":
        matroska(path, np.resize(sound[:, 0], -(-samples // 320) * 320))
        samples, rate = -(-samples // 320) * 320, 16000
    else:
        soundfile.write(path, sound, rate, "PCM_16", format=form)
    blocks, remark = read(path)
    assert remark == ""
    assert sum(len(block.samples) for block in blocks) == samples
    assert {block.rate for block in blocks} == {rate}


@pytest.mark.parametrize("declared", [0, 0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF])
def test_a_length_that_its_writer_did_not_know_is_no_cut(tmp_path: Path, declared: int) -> None:
    path = write(tmp_path / "a.wav", noise(1.0))
    data = bytearray(path.read_bytes())
    size = (min(declared + 36, 0xFFFFFFFF)).to_bytes(4, "little")
    data[4:8], data[40:44] = size, declared.to_bytes(4, "little")
    path.write_bytes(data)
    blocks, remark = read(path)
    assert seconds(blocks) == 1.0
    assert remark == ""


@pytest.mark.parametrize(
    ("name", "form"), [("a.wav", "wav"), ("a.flac", "flac"), ("a.mkv", "matroska"), ("a.au", "au")]
)
def test_what_was_encoded_to_a_pipe_is_whole(tmp_path: Path, name: str, form: str) -> None:
    path = tmp_path / name
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=frequency=440:duration=1", "-f", form, "-"]
    path.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    assert read(path)[1] == ""
