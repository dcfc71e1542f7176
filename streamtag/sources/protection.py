"""Whether a recording is encrypted, as its container says; asked where nothing in it could be decoded."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["is_encrypted"]

_HEAD_BYTES: Final = 1 << 20
_ASF_HEADER: Final = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
# Content Encryption Object, Extended Content Encryption Object
_ASF_ENCRYPTION: Final = (
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"),
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"),
)
_EBML: Final = b"\x1a\x45\xdf\xa3"
_MATROSKA_ENCRYPTION: Final = b"\x50\x35"  # ContentEncryption, within ContentEncodings (6D 80)
_MP4_ENCRYPTED: Final = (b"enca", b"drms", b"aavd")  # Common Encryption, FairPlay, Audible


def is_encrypted(path: Path) -> bool:
    """Return whether an MP4, Matroska or ASF file says that its sound is encrypted; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
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
    place = 0
    while True:
        file.seek(place)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if len(head) < 8 or length < 8:
            return
        if head[4:8] == b"moov":
            yield head[8:] + file.read(min(length, _HEAD_BYTES * 16))
        place += length
