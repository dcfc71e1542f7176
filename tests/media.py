"""Recordings for tests in any container and codec, made by FFmpeg when they are needed."""

import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.audio.stream import AudioStream
from av.packet import Packet

from tests.sounds import Sound

if TYPE_CHECKING:
    AudioPacket = Packet[AudioStream]
else:
    AudioPacket = Packet  # which cannot be indexed when the program runs


def encode(path: Path, *options: str, seconds: float = 1.0, layout: str = "mono", rate: int = 44100) -> Path:
    """Write a tone; `options` are of FFmpeg's command line, such as `-c:a alac`."""
    tone = f"sine=frequency=440:sample_rate={rate}:duration={seconds}"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", tone, "-af", f"aformat=channel_layouts={layout}"]
    subprocess.run([*command, *options, "-strict", "-2", path], check=True)
    return path


def encode_all(folder: Path, recordings: dict[str, list[str]], seconds: float) -> dict[str, Path]:
    """Write the same tone to many recordings at once; each name has FFmpeg's options for it."""
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi"]
    command += ["-i", f"sine=frequency=440:sample_rate=44100:duration={seconds}"]
    for name, options in recordings.items():
        command += [*options, "-strict", "-2", str(folder / name)]
    subprocess.run(command, check=True)
    return {name: folder / name for name in recordings}


def film(path: Path, picture_seconds: float, sound_seconds: float) -> Path:
    """Write a film whose picture and sound last for so long each."""
    return films(path.parent, {path.name: ["-bf", "2", "-c:a", "mp2"]}, picture_seconds, sound_seconds)[0]


def films(folder: Path, recordings: dict[str, list[str]], picture_seconds: float, sound_seconds: float) -> list[Path]:
    """Write films at once, of the same picture and sound; each name has FFmpeg's options for it."""
    command = ["ffmpeg", "-v", "error", "-y"]
    command += ["-f", "lavfi", "-i", f"testsrc=size=64x64:rate=25:duration={picture_seconds}"]
    command += ["-f", "lavfi", "-i", f"sine=frequency=440:duration={sound_seconds}"]
    for name, options in recordings.items():
        command += ["-map", "0", "-map", "1", *options, str(folder / name)]
    subprocess.run(command, check=True)
    return [folder / name for name in recordings]


def begin_of(packet: AudioPacket) -> float:
    """Return the seconds at which a packet's stamp says that it begins."""
    assert packet.pts is not None
    assert packet.time_base is not None
    return float(packet.pts * packet.time_base)


def bomb(path: Path, seconds: float) -> Path:
    """Write so much silence, an MP4 of little size, whose packets claim to last next to nothing."""
    silence = f"anullsrc=sample_rate=48000:channel_layout=mono:duration={seconds}"
    coded = ["-c:a", "aac", "-b:a", "8k", "-use_editlist", "0", str(path)]
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", silence, *coded], check=True)
    content = bytearray(path.read_bytes())
    table = content.index(b"stts")
    (entries,) = struct.unpack_from(">I", content, table + 8)
    for entry in range(entries):
        struct.pack_into(">I", content, table + 16 + 8 * entry, 2)
    path.write_bytes(content)
    return path


def two_tracks(path: Path, *options: str) -> Path:
    """Write two tones as two tracks: 1 s of 440 Hz, and 2 s of 1000 Hz."""
    sounds: list[str] = []
    for hz, length in ((440, 1.0), (1000, 2.0)):
        sounds += ["-f", "lavfi", "-i", f"sine=frequency={hz}:sample_rate=16000:duration={length}"]
    subprocess.run(["ffmpeg", "-v", "error", *sounds, "-map", "0", "-map", "1", *options, path], check=True)
    return path


def spoil_first_track(source: Path, target: Path) -> Path:
    """Copy a recording, the first track's packets (of AAC) being such as cannot be decoded."""
    with av.open(str(source)) as from_, av.open(str(target), "w") as to:
        tracks = [to.add_stream_from_template(track) for track in from_.streams.audio]
        for packet in from_.demux():
            if packet.dts is not None:
                if packet.stream.index == 0:
                    packet.update(b"\x7e" * packet.size)
                packet.stream = tracks[packet.stream.index]
                to.mux(packet)
    return target


def matroska(path: Path, sound: Sound, *, encrypted: bool = False) -> Path:
    """Write mono PCM at 16 kHz as a Matroska file by hand, 20 ms a block; `encrypted` only says so."""
    encryption = _element("5035", _element("47E1", b"\x05"), _element("47E2", b"a key's name"))
    encodings = _element("6D80", _element("6240", _element("5033", b"\x01"), encryption)) if encrypted else b""
    audio = _element("E1", _element("B5", struct.pack(">d", 16000)), _element("9F", b"\x01"), _element("6264", b"\x10"))
    track = [
        _element("D7", b"\x01"),
        _element("73C5", b"\x01"),
        _element("83", b"\x02"),
        _element("86", b"A_PCM/INT/LIT"),
    ]
    pcm = (sound * 32767).astype("<i2").tobytes()
    blocks = [
        _element("A3", b"\x81" + struct.pack(">hB", 20 * number, 0x80) + pcm[640 * number : 640 * (number + 1)])
        for number in range(len(pcm) // 640)
    ]
    info = _element("1549A966", _element("2AD7B1", (1_000_000).to_bytes(4, "big")))
    tracks = _element("1654AE6B", _element("AE", *track, audio, encodings))
    cluster = _element("1F43B675", _element("E7", b"\x00"), *blocks)
    head = _element("1A45DFA3", _element("4282", b"matroska"), _element("4287", b"\x04"), _element("4285", b"\x02"))
    path.write_bytes(head + _element("18538067", info, tracks, cluster))
    return path


_TRACK = {"D7": b"\x01", "73C5": b"\x01", "83": b"\x02", "86": b"A_PCM/INT/LIT"}  # number, uid, kind, codec


def _element(name: str, *contents: bytes) -> bytes:
    """An EBML element (RFC 8794), its length in 8 bytes."""
    content = b"".join(contents)
    return bytes.fromhex(name) + (1 << 56 | len(content)).to_bytes(8, "big") + content
