"""Recordings for tests in any container and codec, made by FFmpeg when they are needed."""

import struct
import subprocess
from pathlib import Path

import av


def encode(path: Path, *options: str, seconds: float = 1.0, layout: str = "mono", rate: int = 44100) -> Path:
    """Write a tone; `options` are of FFmpeg's command line, such as `-c:a alac`."""
    tone = f"sine=frequency=440:sample_rate={rate}:duration={seconds}"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", tone, "-af", f"aformat=channel_layouts={layout}"]
    subprocess.run([*command, *options, "-strict", "-2", path], check=True)
    return path


def film(path: Path, picture_seconds: float, sound_seconds: float, *options: str) -> Path:
    """Write a film whose picture and sound last for so long each."""
    picture = ["-f", "lavfi", "-i", f"testsrc=size=64x64:rate=25:duration={picture_seconds}"]
    sound = ["-f", "lavfi", "-i", f"sine=frequency=440:duration={sound_seconds}"]
    command = ["ffmpeg", "-v", "error", "-y", *picture, *sound, "-c:a", "mp2", *(options or ["-bf", "2"]), path]
    subprocess.run(command, check=True)
    return path


def bomb(path: Path, seconds: float) -> Path:
    """Write so much silence, an MP4 of little size, whose packets claim to last next to nothing."""
    silence = f"anullsrc=sample_rate=48000:channel_layout=mono:duration={seconds}"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", silence, "-c:a", "aac", "-b:a", "8k", path]
    subprocess.run(command, check=True)
    content = bytearray(path.read_bytes())
    table = content.index(b"stts")
    (entries,) = struct.unpack_from(">I", content, table + 8)
    for entry in range(entries):
        struct.pack_into(">I", content, table + 16 + 8 * entry, 1)
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
