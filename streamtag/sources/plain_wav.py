"""WAV files of 16-bit PCM without FFmpeg, which takes longer to look for what else one may hold than to read it.

What is not plainly that is left to FFmpeg: other forms, headers that contradict the file, and sound that is coded and
only stored as if it were PCM, as AC-3, DTS and MP3 are now and then.
"""

import struct
import wave
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from streamtag.sources.decoder import Chunk, codec_of
from streamtag.sources.reasons import read_error

__all__ = ["plain_wav"]

_SUFFIXES: Final = (".wav", ".wave")
_WIDTH: Final = 2
_MOST_RATE: Final = 768_000
_MOST_CHANNELS: Final = 8
_HEAD_BYTES: Final = 1 << 14
_MOST_BEHIND: Final = 1 << 16
_CODED: Final = (
    b"\x72\xf8\x1f\x4e",  # a burst of IEC 61937, in either byte order
    b"\xf8\x72\x4e\x1f",
    b"\x7f\xfe\x80\x01",  # DTS in words of 16 and of 14 bits, ETSI TS 102 114 section 5.3 and annex E
    b"\xfe\x7f\x01\x80",
    b"\x1f\xff\xe8\x00",
    b"\xff\x1f\x00\xe8",
)
"""What coded sound has somewhere near its beginning."""
_CODED_FIRST: Final = (b"ID3", b"\x77\x0b")


def plain_wav(path: Path, chunk_seconds: float) -> Iterator[Chunk] | None:
    """Return what a file holds, about so many seconds at a time; None where FFmpeg has to look at it.

    What is missing at the end is nobody's fault here: the header tells, as of any recording.

    Raises:
        ReadError: while iterating, if reading fails.
    """
    if path.suffix.lower() not in _SUFFIXES:
        return None
    try:
        file = path.open("rb")
    except OSError:
        return None
    # RuntimeError is what the reader has for a chunk that goes on behind the header's end.
    with suppress(OSError, EOFError, ValueError, RuntimeError, wave.Error, struct.error):
        # The reader closes what it was given a name of only where it succeeds.
        reader = wave.open(file)  # noqa: SIM115
        if _is_plain(file, reader, path.stat().st_size):
            return _chunks(file, reader, chunk_seconds)
    file.close()
    return None


def _is_plain(file: BinaryIO, reader: wave.Wave_read, size: int) -> bool:
    fits = reader.getsampwidth() == _WIDTH and 0 < reader.getnchannels() <= _MOST_CHANNELS
    if not (fits and 0 < reader.getframerate() <= _MOST_RATE and reader.getnframes()):
        return False
    begin = file.tell()
    end = begin + reader.getnframes() * _WIDTH * reader.getnchannels()
    head = file.read(min(_HEAD_BYTES, end - begin))
    file.seek(4)
    whole = 8 + int.from_bytes(file.read(4), "little")
    file.seek(min(end, size))
    behind = file.read(_MOST_BEHIND + 1)
    file.seek(begin)
    return whole >= size and len(behind) <= _MOST_BEHIND and b"data" not in behind and not _is_coded(head)


def _is_coded(head: bytes) -> bool:
    first = head.lstrip(b"\0")
    return first.startswith(_CODED_FIRST) or codec_of(first[:6]) is not None or any(word in head for word in _CODED)


def _chunks(file: BinaryIO, reader: wave.Wave_read, seconds: float) -> Iterator[Chunk]:
    rate, channels = reader.getframerate(), reader.getnchannels()
    frame = _WIDTH * channels
    frames, left = max(1, round(seconds * rate)), reader.getnframes()
    with file:
        while left:
            try:
                content = file.read(frame * min(frames, left))
            except OSError as error:
                raise read_error(error, is_file=True) from None
            whole = len(content) // frame
            if not whole:
                return
            left -= whole
            samples = np.frombuffer(content, "<i2", whole * channels).reshape(whole, channels)
            yield Chunk(samples.astype(np.int16, copy=False), rate, 0.0)
