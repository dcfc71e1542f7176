"""The parts of a chained Ogg file (RFC 3533, section 4): streams one behind the other, each with headers of its own.

FFmpeg reads on from one part to the next only where codec, rate and channels stay the same.
"""

from pathlib import Path
from typing import Final

__all__ = ["ogg_parts"]

_HEADER_BYTES: Final = 27
_BEGINS: Final = 2


def ogg_parts(path: Path) -> list[tuple[int, int]]:
    """Return where each part begins and ends, in bytes; one for a file that is not chained, none for other files."""
    size = path.stat().st_size
    begins: list[int] = []
    was_header = False
    with path.open("rb") as file:
        place = 0
        while True:
            header = file.read(_HEADER_BYTES)
            if len(header) < _HEADER_BYTES or header[:4] != b"OggS":
                break  # the end, or damage, which is FFmpeg's to find its way through
            is_header = bool(header[5] & _BEGINS)
            if is_header and not was_header:
                begins.append(place)
            was_header = is_header
            segments = file.read(header[26])
            place = file.seek(sum(segments), 1)
    return list(zip(begins, [*begins[1:], size], strict=True)) if begins else []
