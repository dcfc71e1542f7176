"""Which codec a packet is of, by its own first bytes: a stream's codec may change, and FFmpeg keeps to the first.

ISO/IEC 11172-3 section 2.4.1.3 (MPEG audio), 14496-3 section 1.A.2.2 (ADTS), ETSI TS 102 366 sections 4.3 and E.1.2
(AC-3 and its successor).
"""

__all__ = ["codec_of"]

_LAYERS = {0b01: "mp3", 0b10: "mp2", 0b11: "mp1"}
_LATEST_AC3 = 10  # the identification of bit streams; what is above is the successor's


def codec_of(head: bytes) -> str | None:
    """Return FFmpeg's name of the decoder for a packet that begins with these bytes (6 are enough), if they tell."""
    if len(head) < 6:
        return None
    if head[:2] == b"\x0b\x77":
        return "ac3" if head[5] >> 3 <= _LATEST_AC3 else "eac3"
    if head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer = head[1] >> 1 & 0b11
    if layer == 0b00:
        return "aac" if head[1] & 0xF0 == 0xF0 else None
    is_free_or_bad = head[2] >> 4 in (0b0000, 0b1111) or head[2] >> 2 & 0b11 == 0b11
    return None if is_free_or_bad else _LAYERS[layer]
