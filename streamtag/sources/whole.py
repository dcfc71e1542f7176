"""Whether a recording is cut: what its own header says of its length, read from the bytes.

FFmpeg reads what is there and is content. Containers tell how many bytes they hold, which shows any cut and asks for no
tolerance. (Formats that only tell how many samples they hold are compared in seconds, by whoever decodes them.)
"""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["is_cut"]

_SLACK_BYTES: Final = 16  # writers disagree on padding, and on whether a header counts itself
_UNKNOWN_32: Final = range(0x7FFFF000, 0x80000100)  # what writers to a pipe give who do not know the length
_UNKNOWN_TOP: Final = 0xFFFFF000
_W64: Final = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_ASF_HEADER: Final = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE_PROPERTIES: Final = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_EBML: Final = b"\x1a\x45\xdf\xa3"
_SEGMENT: Final = b"\x18\x53\x80\x67"
_FLV_TAGS: Final = (8, 9, 18)  # sound, picture, data; beside a bit that says encrypted
_MP4_FIRST: Final = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"})
_MP4_LATER: Final = _MP4_FIRST | {b"emsg", b"meta", b"mfra", b"moof", b"prft", b"sidx", b"ssix", b"udta", b"uuid"}
_MOST_CHUNKS: Final = 1_000_000


def is_cut(path: Path) -> bool:
    """Return whether a file is shorter than its header says; False where the header does not say."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
        end = _end(head)
        try:
            declared = None if end is None else end(file, size)
        except (OSError, ValueError, IndexError, OverflowError):  # a header that makes no sense says nothing
            return False
    return declared is not None and size + _SLACK_BYTES < declared


def _end(head: bytes) -> "Callable[[BinaryIO, int], int | None] | None":
    """The function that knows where a file with this beginning ends."""
    match head[:4]:
        case b"RIFF" | b"RIFX" | b"RF64" | b"BW64" | b"FORM":
            return _chunks
        case b".snd" | b"dns.":
            return _sun
        case b"caff":
            return _caf
        case b"OggS":
            return _ogg
        case b"FLV\x01":
            return _flv
        case b"DSD " | b"FRM8":
            return _dsd
    if head[:4] == _EBML:
        return _matroska
    if head == _ASF_HEADER:
        return _asf
    if head == _W64:
        return _w64
    return _mp4 if head[4:8] in _MP4_FIRST else None


def _number(data: bytes, order: str = "big") -> int:
    if not data:
        raise ValueError("the file ends in its header")
    return int.from_bytes(data, "little" if order == "little" else "big")


def _known(size: int) -> bool:
    return 0 < size < _UNKNOWN_TOP and size not in _UNKNOWN_32


def _chunks(file: BinaryIO, size: int) -> int | None:
    """Files of the IFF family: WAV in either byte order, RF64, AIFF; AVI and others by their outermost size."""
    file.seek(0)
    kind, total, form = file.read(4), file.read(4), file.read(4)
    order = "big" if kind in (b"RIFX", b"FORM") else "little"
    if form not in (b"WAVE", b"AIFF", b"AIFC"):
        whole = _number(total, order)
        return 8 + whole if form in (b"AVI ", b"8SVX") and _known(whole) else None
    offset, long = 12, 0
    while offset + 8 <= size:
        file.seek(offset)
        name, length = file.read(4), _number(file.read(4), order)
        if name == b"ds64":
            file.seek(offset + 16)
            long = _number(file.read(8), order)
        if name in (b"data", b"SSND"):
            if kind in (b"RF64", b"BW64") and length == 0xFFFFFFFF:
                return offset + 8 + long if long else None
            return offset + 8 + length if _known(length) else None
        offset += 8 + length + length % 2
    return None


def _w64(file: BinaryIO, size: int) -> int | None:
    offset = 40
    while offset + 24 <= size:
        file.seek(offset)
        name, length = file.read(16), _number(file.read(8), "little")
        if name[:4] == b"data":
            return offset + length if 24 < length < 1 << 62 else None
        if length < 24:
            return None
        offset += -(-length // 8) * 8
    return None


def _sun(file: BinaryIO, size: int) -> int | None:
    file.seek(0)
    order = "big" if file.read(4) == b".snd" else "little"
    start, length = _number(file.read(4), order), _number(file.read(4), order)
    return start + length if _known(length) else None


def _caf(file: BinaryIO, size: int) -> int | None:
    offset = 8
    while offset + 12 <= size:
        file.seek(offset)
        name, length = file.read(4), _number(file.read(8))
        if length >= 1 << 62:  # -1: up to the end
            return None
        if name == b"data":
            return offset + 12 + length
        offset += 12 + length
    return None


def _dsd(file: BinaryIO, size: int) -> int | None:
    file.seek(0)
    if file.read(4) == b"FRM8":
        length = _number(file.read(8))
        return 12 + length if length < 1 << 62 else None
    file.seek(12)
    return _number(file.read(8), "little") or None


def _ogg(file: BinaryIO, size: int) -> int | None:
    """Ogg tells of each page how long it is: the last one that begins may not be whole."""
    start = max(0, size - (1 << 17))
    file.seek(start)
    tail = file.read()
    offset = tail.rfind(b"OggS")
    if offset < 0:
        return None
    segments = tail[offset + 26] if offset + 27 <= len(tail) else 255
    end = start + offset + 27 + segments + sum(tail[offset + 27 : offset + 27 + segments])
    return end if end <= size else end + _SLACK_BYTES


def _flv(file: BinaryIO, size: int) -> int | None:
    """The file ends with the length of its last tag; where it does not, the last tag is not whole."""
    file.seek(size - 4)
    length = _number(file.read(4))
    if 11 <= length <= size - 4 - 9:
        file.seek(size - 4 - length)
        kind, data = file.read(1), _number(file.read(3))
        if kind[0] & 0xDF in _FLV_TAGS and data + 11 == length:
            return size
    return _flv_walk(file, size)


def _flv_walk(file: BinaryIO, size: int) -> int | None:
    file.seek(5)
    offset = _number(file.read(4)) + 4
    for _ in range(_MOST_CHUNKS):
        if offset >= size:
            return offset if offset == size else offset + _SLACK_BYTES
        file.seek(offset)
        tag = file.read(4)
        if tag[0] & 0xDF not in _FLV_TAGS:
            return None
        offset += 11 + _number(tag[1:]) + 4
    return None


def _matroska(file: BinaryIO, size: int) -> int | None:
    file.seek(4)
    length, _ = _ebml_size(file)
    file.seek(length, 1)
    while (name := file.read(4)) != _SEGMENT:
        if name[:1] != b"\xec":  # a void element, and nothing else, may stand between
            return None
        file.seek(-3, 1)
        file.seek(_ebml_size(file)[0], 1)
    length, is_known = _ebml_size(file)
    return file.tell() + length if is_known else None


def _ebml_size(file: BinaryIO) -> tuple[int, bool]:
    first = file.read(1)[0]
    width = 9 - first.bit_length()
    value = int.from_bytes(bytes([first & ((1 << (8 - width)) - 1)]) + file.read(width - 1), "big")
    return value, value != (1 << (7 * width)) - 1


def _asf(file: BinaryIO, size: int) -> int | None:
    file.seek(16)
    header = _number(file.read(8), "little")
    offset = 30
    while offset + 24 <= min(size, header):
        file.seek(offset)
        name, length = file.read(16), _number(file.read(8), "little")
        if name == _ASF_FILE_PROPERTIES:
            fields = file.read(80)
            is_broadcast = fields[64] & 1
            return None if is_broadcast else _number(fields[16:24], "little") or None
        offset += max(24, length)
    return None


def _mp4(file: BinaryIO, size: int) -> int | None:
    offset = 0
    for _ in range(_MOST_CHUNKS):
        file.seek(offset)
        head = file.read(16)
        if head[4:8] not in _MP4_LATER:
            return None  # the end, or what somebody put behind it
        length = _number(head[:4])
        if length == 1:
            length = _number(head[8:16])
        if length < 8:
            return None  # 0: up to the end
        offset += length
        if offset > size:
            return offset + _SLACK_BYTES
    return None
