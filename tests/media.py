"""Recordings for tests in any container and codec, made by FFmpeg when they are needed."""

import struct
import subprocess
from pathlib import Path


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
