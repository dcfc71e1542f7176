"""Odd recordings that are whole all the same, and what is said of those that are not."""

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streamtag.errors import SourceError
from streamtag.sources.containers import is_encrypted, ogg_parts
from tests.media import AudioPacket, begin_of, encode, encode_all, films, matroska, spoil_first_track, two_tracks
from tests.sounds import chirp, noise, write
from tests.sources.test_lengths import read, seconds


def remux(
    source: Path, target: Path, change: Callable[[AudioPacket, int], AudioPacket | None], form: str | None = None
) -> Path:
    """Copy packets one by one; `change` may drop them, or give others in their place."""
    with av.open(str(source)) as from_, av.open(str(target), "w", format=form) as to:
        track = to.add_stream_from_template(from_.streams.audio[0])
        for number, packet in enumerate(from_.demux(from_.streams.audio[0])):
            changed = change(packet, number) if packet.dts is not None else None
            if changed is not None:
                changed.stream = track
                to.mux(changed)
    return target


FILMS = ("a.webm", "a.mkv", "a.mp4", "a.avi", "a.mpg", "a.flv", "a.ts", "a.wmv")
CODECS = {"a.webm": ["-c:a", "libvorbis"], "a.flv": ["-c:a", "aac"], "a.wmv": ["-c:a", "wmav2"]}


@pytest.mark.parametrize(("picture_seconds", "sound_seconds"), [(3.0, 1.5), (1.0, 2.5)])
def test_the_length_of_a_film_is_that_of_its_sound(
    tmp_path: Path, picture_seconds: float, sound_seconds: float
) -> None:
    for path in films(tmp_path, {name: CODECS.get(name, []) for name in FILMS}, picture_seconds, sound_seconds):
        blocks, remark = read(path)
        assert seconds(blocks) == pytest.approx(sound_seconds, abs=0.08), path.name
        assert remark == "", path.name


@pytest.mark.parametrize("name", ["a.webm", "a.mkv", "a.mp4", "a.ts", "a.nut"])
def test_sound_that_starts_late_is_not_missing(tmp_path: Path, name: str) -> None:
    sound = encode(tmp_path / "sound.mka", "-c:a", "libopus" if name == "a.webm" else "aac", seconds=2.0, rate=48000)
    late = tmp_path / name
    command = ["ffmpeg", "-v", "error", "-itsoffset", "3", "-i", str(sound), "-c", "copy", "-copyts", str(late)]
    subprocess.run(command, check=True)
    blocks, remark = read(late)
    assert blocks[0].start == 0
    assert seconds(blocks) == pytest.approx(2.0, abs=0.08)
    assert remark == ""


def ape_tag(size: int) -> bytes:
    """An APEv2 tag with one binary item, such as a picture."""
    item = (
        size.to_bytes(4, "little")
        + (2).to_bytes(4, "little")
        + b"Cover Art (Front)\0"
        + bytes(range(256)) * (size // 256)
    )
    footer = b"APETAGEX" + (2000).to_bytes(4, "little") + (len(item) + 32).to_bytes(4, "little")
    footer += (1).to_bytes(4, "little")
    return (
        footer
        + (0xA0000000).to_bytes(4, "little")
        + bytes(8)
        + item
        + footer
        + (0x80000000).to_bytes(4, "little")
        + bytes(8)
    )


TAGS = {
    "ID3v1": b"TAG" + b"title".ljust(125, b"\0"),
    "APEv2": ape_tag(256),
    "APEv2 with a picture": ape_tag(20480),
    "Lyrics3": b"LYRICSBEGININD0000200" + b"la" * 50 + b"000121LYRICS200",
    "ID3v2 behind": b"ID3\x04\0\0\0\0\0\x20TIT2\0\0\0\x06\0\0\x03title",
    "zeros": bytes(4096),
}


TAGGED = (
    "a.mp3",
    "a.aac",
    "a.ac3",
    "a.flac",
    "a.m4a",
    "a.wav",
    "a.aiff",
    "a.ogg",
    "a.mka",
    "a.wma",
    "a.avi",
    "a.flv",
    "a.wv",
)


@pytest.fixture(scope="module")
def untagged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    options = {name: ["-write_xing", "0"] if name == "a.mp3" else [] for name in TAGGED}
    made = encode_all(tmp_path_factory.mktemp("untagged"), options, 1.0)
    return {name: path.read_bytes() for name, path in made.items()}


@pytest.mark.parametrize("name", TAGGED)
def test_a_tag_behind_the_sound_is_not_damage(tmp_path: Path, untagged: dict[str, bytes], name: str) -> None:
    path = tmp_path / name
    path.write_bytes(untagged[name])
    before = seconds(read(path)[0])
    for kind, tag in TAGS.items():
        path.write_bytes(untagged[name] + tag)
        blocks, remark = read(path)
        assert remark == "", kind
        assert seconds(blocks) == pytest.approx(before, abs=0.06), kind


def test_a_recording_cut_out_of_a_stream_is_not_damaged(tmp_path: Path) -> None:
    whole = encode(tmp_path / "whole.mp3", "-b:a", "64k", "-write_xing", "0", seconds=3.0).read_bytes()
    path = tmp_path / "middle.mp3"
    path.write_bytes(whole[len(whole) // 3 : 2 * len(whole) // 3])
    blocks, remark = read(path)
    assert remark == ""
    assert seconds(blocks) == pytest.approx(1.0, abs=0.1)


def test_packets_lost_in_the_middle_are_counted_and_told(tmp_path: Path) -> None:
    path = encode(tmp_path / "whole.mka", "-c:a", "aac", seconds=3.0)

    def spoil(packet: AudioPacket, number: int) -> AudioPacket:
        if 20 <= number < 24:
            packet.update(b"\x7e" * packet.size)
        return packet

    _, remark = read(remux(path, tmp_path / "spoilt.mka", spoil))
    assert "damaged" in remark
    assert "packets were skipped" in remark


@pytest.mark.parametrize("name", ["a.webm", "a.mka", "a.mp4", "a.ogg"])
def test_speech_without_the_packets_of_its_pauses_is_whole(tmp_path: Path, name: str) -> None:
    """Discontinuous transmission, as browsers record it: silence has no packets."""
    sound = noise(4.0, 48000)
    sound[48000:96000] = 0
    wav = write(tmp_path / "a.wav", sound, 48000)
    spoken = tmp_path / "spoken.webm"
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(wav),
        "-c:a",
        "libopus",
        "-application",
        "voip",
        "-dtx",
        "1",
        "-b:a",
        "16k",
    ]
    subprocess.run([*command, str(spoken)], check=True)
    dropped = []

    def drop(packet: AudioPacket, number: int) -> AudioPacket | None:
        # A pause is refreshed every 400 ms.
        if 1.1 < begin_of(packet) < 1.9 and number % 20:
            dropped.append(number)
            return None
        return packet

    blocks, remark = read(remux(spoken, tmp_path / name, drop))
    assert len(dropped) > 30
    assert remark == ""
    assert seconds(blocks) == pytest.approx(4.0, abs=0.05)
    assert sum(len(block.samples) for block in blocks) == pytest.approx(4.0 * 48000, abs=2400)


@pytest.mark.parametrize("name", ["a.mp4", "a.ogg"])
def test_opus_with_damaged_packets_is_damaged(tmp_path: Path, name: str) -> None:
    path = encode(tmp_path / "whole.mka", "-c:a", "libopus", "-ar", "48000", seconds=3.0)
    heard = seconds(read(path)[0])

    def spoil(packet: AudioPacket, number: int) -> AudioPacket:
        if 60 <= number < 80:
            packet.update((b"\x03\xbf" + b"\xff" * packet.size)[: packet.size])  # more frames than a packet may hold
        return packet

    blocks, remark = read(remux(path, tmp_path / name, spoil))
    assert remark == "damaged: 0.4 s are missing, 20 packets were skipped"
    assert seconds(blocks) == pytest.approx(heard, abs=0.02)


PARTS = {
    "another rate": (("libvorbis", 48000, "mono"), ("libvorbis", 22050, "mono")),
    "other channels": (("libopus", 48000, "mono"), ("libopus", 48000, "stereo")),
    "another codec": (("libopus", 48000, "mono"), ("libvorbis", 16000, "stereo")),
    "FLAC": (("flac", 48000, "mono"), ("flac", 16000, "stereo")),
    "the same": (("libvorbis", 44100, "mono"), ("libvorbis", 44100, "mono")),
}


@pytest.mark.parametrize("kind", PARTS)
def test_all_parts_of_a_chained_ogg_file_are_heard(tmp_path: Path, kind: str) -> None:
    parts = [
        encode(tmp_path / f"{number}.ogg", "-c:a", codec, seconds=1.5, rate=rate, layout=layout).read_bytes()
        for number, (codec, rate, layout) in enumerate(PARTS[kind])
    ]
    path = tmp_path / "it's, a: chain.ogg"
    path.write_bytes(b"".join([*parts, parts[0]]))
    assert len(ogg_parts(path)) == 3
    blocks, remark = read(path)
    assert remark == ""
    assert seconds(blocks) == pytest.approx(4.5, abs=0.06)
    assert blocks[-1].rate == PARTS[kind][0][1]


def test_of_several_tracks_the_first_is_heard(tmp_path: Path) -> None:
    blocks, remark = read(two_tracks(tmp_path / "a.mka", "-c:a", "pcm_s16le"))
    assert seconds(blocks) == 1.0
    assert remark == ""


def test_a_first_track_without_a_decoder_is_passed_over(tmp_path: Path) -> None:
    path = two_tracks(tmp_path / "a.mka", "-c:a:0", "flac", "-c:a:1", "pcm_s16le")
    path.write_bytes(path.read_bytes().replace(b"A_FLAC", b"A_NONE"))
    blocks, remark = read(path)
    assert seconds(blocks) == 2.0
    assert remark == ""


def test_a_first_track_that_cannot_be_decoded_is_passed_over(tmp_path: Path) -> None:
    path = two_tracks(tmp_path / "a.mka", "-c:a:0", "aac", "-c:a:1", "flac")
    blocks, remark = read(spoil_first_track(path, tmp_path / "b.mka"))
    assert seconds(blocks) == 2.0
    assert remark == ""


def test_an_empty_first_track_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.mka"
    with av.open(str(path), "w") as out:
        empty, full = (out.add_stream("pcm_s16le", rate=16000, layout="mono") for _ in range(2))
        frame = av.AudioFrame.from_ndarray((noise(1.0) * 2**15).astype(np.int16)[np.newaxis], "s16", "mono")
        frame.rate, frame.pts, frame.time_base = 16000, 0, Fraction(1, 16000)
        out.mux([*full.encode(frame), *full.encode(None), *empty.encode(None)])
    blocks, _ = read(path)
    assert seconds(blocks) == 1.0


def test_a_recording_that_is_encrypted_says_so(tmp_path: Path) -> None:
    path = encode(tmp_path / "plain.m4a", "-c:a", "aac", seconds=1.0)
    assert not is_encrypted(path)
    encrypted = tmp_path / "a.mp4"
    key = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "00" * 15 + "01", "-encryption_kid", "02" * 16]
    subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-c", "copy", *key, encrypted], check=True)
    with pytest.raises(SourceError, match=r"a\.mp4: it is encrypted"):
        read(encrypted)


def test_what_would_be_decoded_to_noise_is_known_to_be_encrypted(tmp_path: Path) -> None:
    assert seconds(read(matroska(tmp_path / "plain.mka", noise(1.0)))[0]) == 1.0
    with pytest.raises(SourceError, match="it is encrypted"):
        read(matroska(tmp_path / "encrypted.mka", noise(1.0), encrypted=True))
    protected = tmp_path / "protected.wma"
    content = encode(tmp_path / "a.wma", "-c:a", "wmav2", seconds=1.0).read_bytes()
    # In the place of the object that only lists codecs, one that tells of encryption.
    codecs, encryption = "4052d1861d31d011a3a400a0c90348f6", "fbb3112223bdd211b4b700a0c955fc6e"
    assert bytes.fromhex(codecs) in content
    protected.write_bytes(content.replace(bytes.fromhex(codecs), bytes.fromhex(encryption)))
    with pytest.raises(SourceError, match="it is encrypted"):
        read(protected)


@pytest.mark.parametrize("rate", [1, 100, 1000, 4000, 256_000, 384_000, 2_822_400])
def test_any_rate_is_read(tmp_path: Path, rate: int) -> None:
    count = max(rate // 5, 3)
    samples = np.resize(chirp(1.0), count)
    path = tmp_path / "a.wav"
    header = b"RIFF" + (36 + 2 * count).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    header += b"\x01\0\x01\0" + rate.to_bytes(4, "little") + (2 * rate).to_bytes(4, "little") + b"\x02\0\x10\0data"
    path.write_bytes(header + (2 * count).to_bytes(4, "little") + (samples * 32767).astype("<i2").tobytes())
    blocks, remark = read(path)
    assert remark == ""
    assert {block.rate for block in blocks} == {rate}
    assert seconds(blocks) == pytest.approx(count / rate)


def test_more_channels_than_can_be_converted_are_one_line(tmp_path: Path) -> None:
    samples = np.full((8000, 186), 0.25, np.float32)
    assert seconds(read(write(tmp_path / "as they are.wav", samples, 16000, "PCM_16"))[0]) == 0.5
    with pytest.raises(SourceError, match="none of its sound can be decoded"):
        read(write(tmp_path / "converted.wav", samples, 16000, "PCM_U8"))


def test_a_header_with_a_length_that_was_never_set_is_not_believed(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", "-c:a", "aac", "-movflags", "+faststart", seconds=1.0)
    content = bytearray(path.read_bytes())
    for box, at in ((b"mvhd", 20), (b"mdhd", 20), (b"tkhd", 24)):
        place = content.index(box)
        content[place + at : place + at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    blocks, remark = read(path)
    assert seconds(blocks) == pytest.approx(1.0, abs=0.08)
    assert remark == ""
