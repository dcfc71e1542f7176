"""What a recording's container says of it, read from the bytes: how long an MP3 is, Ogg's parts, and encryption.

**MP3**: the Xing (or Info) and VBRI headers, which stand in its first frame. Layout: "Xing", 4 bytes of flags, then
what the flags announce: 1 the number of frames, 2 of bytes, 4 a table of 100 bytes, 8 a quality; behind these LAME
and others write 21 bytes of their own and then, 12 bits each, how many samples of silence stand before and behind the
sound. VBRI: the frames at byte 14 of it. FFmpeg reads them too, but guesses from the bit rate where the file is
longer or shorter than they say.

**Ogg**: the parts of a chained file (RFC 3533, section 4), streams one behind the other, each with headers of its own.
FFmpeg reads on from one part to the next only where codec, rate and channels stay the same.

**Encryption** is asked for where nothing in a recording could be decoded.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["is_encrypted", "mp3_seconds", "ogg_parts"]

_MP3_HEAD_BYTES: Final = 8192
_RATES: Final = (44100, 48000, 32000)
_XING_OFFSETS: Final = (36, 21, 13, 38, 23, 15)  # by version and channels; two bytes later behind a checksum
_VBRI_OFFSET: Final = 36
_ALL_FLAGS: Final = 15
_SILENCE_OFFSET: Final = 8 + 4 + 4 + 100 + 4 + 21
_TRIMMED_SAMPLES: Final = 3000
"""Silence before and behind the sound that decoders leave out, at most, where the header does not tell."""

_OGG_HEADER_BYTES: Final = 27
_OGG_BEGINS: Final = 2

_MOVIE_HEAD_BYTES: Final = 1 << 20
_ASF_HEADER: Final = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
# Content Encryption Object, Extended Content Encryption Object
_ASF_ENCRYPTION: Final = (
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"),
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"),
)
_EBML: Final = b"\x1a\x45\xdf\xa3"
_MATROSKA_ENCRYPTION: Final = b"\x50\x35"  # ContentEncryption, within ContentEncodings (6D 80)
_MP4_ENCRYPTED: Final = (b"enca", b"drms", b"aavd")  # Common Encryption, FairPlay, Audible


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
        data = file.read(_MP3_HEAD_BYTES)
    for offset in range(len(data) - _VBRI_OFFSET - 18):
        if data[offset] == 0xFF and (rate_and_samples := _frame(data[offset : offset + 4])):
            rate, samples = rate_and_samples
            found = _frames(data[offset:])
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
    for offset in _XING_OFFSETS:
        if frame[offset : offset + 4] in (b"Xing", b"Info"):
            flags = frame[offset + 7]
            silence = frame[offset + _SILENCE_OFFSET : offset + _SILENCE_OFFSET + 3]
            both = int.from_bytes(silence, "big") if flags == _ALL_FLAGS and len(silence) == 3 else 0
            frames = int.from_bytes(frame[offset + 8 : offset + 12], "big")
            return (frames, (both >> 12) + (both & 0xFFF) if both else None) if flags & 1 else None
    if frame[_VBRI_OFFSET : _VBRI_OFFSET + 4] == b"VBRI":
        return int.from_bytes(frame[_VBRI_OFFSET + 14 : _VBRI_OFFSET + 18], "big"), None
    return None


def ogg_parts(path: Path) -> list[tuple[int, int]]:
    """Return where each part begins and ends, in bytes; one for a file that is not chained, none for other files."""
    size = path.stat().st_size
    begins: list[int] = []
    was_header = False
    with path.open("rb") as file:
        offset = 0
        while True:
            header = file.read(_OGG_HEADER_BYTES)
            if len(header) < _OGG_HEADER_BYTES or header[:4] != b"OggS":
                break  # the end, or damage, which is FFmpeg's to find its way through
            is_header = bool(header[5] & _OGG_BEGINS)
            if is_header and not was_header:
                begins.append(offset)
            was_header = is_header
            segments = file.read(header[26])
            offset = file.seek(sum(segments), 1)
    return list(zip(begins, [*begins[1:], size], strict=True)) if begins else []


def is_encrypted(path: Path) -> bool:
    """Return whether an MP4, Matroska or ASF file says that its sound is encrypted; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_MOVIE_HEAD_BYTES)
            if head[4:8] in (b"ftyp", b"moov", b"styp", b"free", b"mdat"):
                return any(kind in box for box in _movie_boxes(file) for kind in _MP4_ENCRYPTED)
    except (OSError, ValueError, OverflowError):  # it cannot be read, or its lengths make no sense
        return False
    if head.startswith(_ASF_HEADER):
        return any(guid in head for guid in _ASF_ENCRYPTION)
    if head.startswith(_EBML):
        encodings = head.find(b"\x6d\x80")
        return encodings >= 0 and _MATROSKA_ENCRYPTION in head[encodings : encodings + 64]
    return False


def _movie_boxes(file: BinaryIO) -> Iterator[bytes]:
    """Yield the movie boxes, which describe the tracks (ISO/IEC 14496-12, section 8.2)."""
    offset = 0
    while True:
        file.seek(offset)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if len(head) < 8 or length < 8:
            return
        if head[4:8] == b"moov":
            yield head[8:] + file.read(min(length, _MOVIE_HEAD_BYTES * 16))
        offset += length
