"""How long an MP3 says it is: the Xing (or Info) and VBRI headers, which stand in its first frame.

Layout: "Xing", 4 bytes of flags, then what the flags announce: 1 the number of frames, 2 of bytes, 4 a table of 100
bytes, 8 a quality; behind these LAME and others write 21 bytes of their own and then, 12 bits each, how many samples of
silence stand before and behind the sound. VBRI: the frames at byte 14 of it.
FFmpeg reads them too, but guesses from the bit rate where the file is longer or shorter than they say.
"""

from pathlib import Path
from typing import Final

__all__ = ["mp3_seconds"]

_HEAD_BYTES: Final = 8192
_RATES: Final = (44100, 48000, 32000)
_XING_PLACES: Final = (36, 21, 13, 38, 23, 15)  # by version and channels; two bytes later behind a checksum
_VBRI_PLACE: Final = 36
_ALL_FLAGS: Final = 15
_SILENCE_PLACE: Final = 8 + 4 + 4 + 100 + 4 + 21
_TRIMMED_SAMPLES: Final = 3000
"""Silence before and behind the sound that decoders leave out, at most, where the header does not tell."""


def mp3_seconds(path: Path) -> tuple[float, float] | None:
    """Return how many seconds an MP3 holds by its own header, and how many of them decoders may leave out.

    None where it does not say.
    """
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3":
            size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
            file.seek(10 + size)
        else:
            file.seek(0)
        data = file.read(_HEAD_BYTES)
    for place in range(len(data) - _VBRI_PLACE - 18):
        if data[place] == 0xFF and (rate_and_samples := _frame(data[place : place + 4])):
            rate, samples = rate_and_samples
            found = _frames(data[place:])
            if found is None:
                return None
            frames, silence = found
            if silence is None:
                return frames * samples / rate, _TRIMMED_SAMPLES / rate
            return max(0, frames * samples - silence) / rate, samples / rate
    return None


def _frame(head: bytes) -> tuple[int, int] | None:
    """Rate and samples of the layer III frame that begins here, if one does."""
    version, layer, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 2 & 3
    if head[1] & 0xE0 != 0xE0 or version == 1 or layer != 1 or rate == 3 or head[2] >> 4 in (0, 15):
        return None
    shift = {3: 0, 2: 1, 0: 2}[version]
    return _RATES[rate] >> shift, 1152 if version == 3 else 576


def _frames(frame: bytes) -> tuple[int, int | None] | None:
    """The number of frames, and of samples around the sound that are silence; each None where it is not told."""
    for place in _XING_PLACES:
        if frame[place : place + 4] in (b"Xing", b"Info"):
            flags = frame[place + 7]
            silence = frame[place + _SILENCE_PLACE : place + _SILENCE_PLACE + 3]
            both = int.from_bytes(silence, "big") if flags == _ALL_FLAGS and len(silence) == 3 else 0
            frames = int.from_bytes(frame[place + 8 : place + 12], "big")
            return (frames, (both >> 12) + (both & 0xFFF) if both else None) if flags & 1 else None
    if frame[_VBRI_PLACE : _VBRI_PLACE + 4] == b"VBRI":
        return int.from_bytes(frame[_VBRI_PLACE + 14 : _VBRI_PLACE + 18], "big"), None
    return None
