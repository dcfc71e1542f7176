"""Playlists that stand for a stream: M3U, PLS, ASX, XSPF, and HLS with variants. Pure: from a text to addresses."""

import html
import re
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from streamtag.source_kinds import PLAYLIST_SUFFIXES

__all__ = ["SUFFIXES", "Variant", "choose_variant", "entries", "is_hls", "is_list", "is_playlist_address", "variants"]

SUFFIXES = PLAYLIST_SUFFIXES | {".m3u8"}
_MOST_ENTRIES = 100
# Bits a second of variants without a picture: more than this only costs.
_ENOUGH_BITS = 200_000
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')
_ASX = re.compile(r"<\s*(?:ref|entryref)\s[^>]*?href\s*=\s*[\"']([^\"']+)", re.IGNORECASE)
_XSPF = re.compile(r"<location>\s*([^<\s]+)", re.IGNORECASE)
_PLS = re.compile(r"^\s*(?:File|Ref)(\d+)\s*=\s*(\S.*?)\s*$", re.IGNORECASE | re.MULTILINE)
# Of M3U and HLS, PLS, ASX, FFmpeg's own, and SDP; of XSPF, DASH and IMF.
_HEADS = (b"#extm3u", b"[playlist]", b"[reference]", b"<asx", b"ffconcat", b"v=0")
_XML = (b"<playlist", b"<mpd", b"<compositionplaylist")
_AUDIO_CODECS = ("mp4a", "ac-3", "ec-3", "ac-4", "opus", "flac", "mp3", "alac", "dts")


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the forms in which HLS offers the same stream."""

    address: str
    bits: int
    """Bits a second, the picture included."""
    has_picture: bool
    has_sound: bool
    """Whether its own segments carry sound, as far as is told."""
    sound: str | None
    """The address of its sound alone, where that is offered."""


def is_list(head: bytes) -> bool:
    """Whether a file that begins so is no sound but says where some is: a playlist, or a description of a session."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return text.startswith(_HEADS) or (text.startswith(b"<?xml") and any(name in text for name in _XML))


def is_playlist_address(address: str) -> bool:
    """Whether an address ends as those of playlists do."""
    path = urlsplit(address).path.lower()
    return path[path.rfind(".") :] in SUFFIXES if "." in path else False


def is_hls(text: str) -> bool:
    """Whether a playlist's entries are the pieces of one stream, or its variants."""
    return text.lstrip("\ufeff").startswith("#EXTM3U") and "#EXT-X-" in text


def entries(text: str, *, is_playlist: bool = False) -> list[str]:
    """The addresses that a playlist names, in its order; none if it is no playlist.

    Args:
        text: all of it.
        is_playlist: whether it is called one: then its lines need not say so themselves.
    """
    text = text.lstrip("\ufeff")
    head = text[:4096].lower()
    if "<asx" in head:
        found = [html.unescape(address) for address in _ASX.findall(text)]
    elif "<playlist" in head:
        found = [html.unescape(address) for address in _XSPF.findall(text)]
    elif "[playlist]" in head or "[reference]" in head:
        found = [address for _, address in sorted(_PLS.findall(text), key=lambda pair: int(pair[0][:9]))]
    else:
        lines = [line.strip() for line in text.splitlines()]
        found = [line for line in lines if line and not line.startswith("#")]
        if not head.startswith("#extm3u"):
            sure = all(" " not in line and ("://" in line or (is_playlist and line[0] != "<")) for line in found)
            return found[:_MOST_ENTRIES] if sure else []
    return found[:_MOST_ENTRIES]


def variants(text: str) -> list[Variant]:
    """The variants that an HLS playlist offers; none if it is a stream's own list of pieces."""
    lines = [line.strip() for line in text.splitlines()]
    sounds: dict[str, list[dict[str, str]]] = {}
    for line in lines:
        if line.startswith("#EXT-X-MEDIA:"):
            media = _attributes(line)
            if media.get("TYPE") == "AUDIO":
                sounds.setdefault(media.get("GROUP-ID", ""), []).append(media)
    found = []
    for line, address in pairwise(lines):
        if line.startswith("#EXT-X-STREAM-INF:") and address and not address.startswith("#"):
            found.append(_variant(address, _attributes(line), sounds))
    return found


def choose_variant(text: str) -> str | None:
    """The address to read for the sound: sound alone where it is offered, else the variant that costs least."""
    offered = variants(text)
    alone = [variant for variant in offered if not variant.has_picture and variant.has_sound and not variant.sound]
    if alone:
        enough = [variant for variant in alone if variant.bits <= _ENOUGH_BITS]
        return max(enough, key=_bits).address if enough else min(alone, key=_bits).address
    with_sound = [variant for variant in offered if variant.sound or variant.has_sound] or offered
    if not with_sound:
        return None
    apart = [variant for variant in with_sound if variant.sound]
    cheapest = min(apart or with_sound, key=_bits)
    return cheapest.sound or cheapest.address


def _bits(variant: Variant) -> int:
    return variant.bits


def _variant(address: str, told: dict[str, str], sounds: dict[str, list[dict[str, str]]]) -> Variant:
    codecs = [codec.strip().lower() for codec in told.get("CODECS", "").split(",") if codec.strip()]
    audio = [codec for codec in codecs if codec.startswith(_AUDIO_CODECS)]
    group = sounds.get(told.get("AUDIO", ""), [])
    # The renditions of a group are languages and the like; one without an address is in the variant itself.
    first = sorted(group, key=lambda media: (media.get("DEFAULT") != "YES", media.get("AUTOSELECT") != "YES"))
    sound = next((media["URI"] for media in first[:1] if media.get("URI")), None)
    has_picture = "RESOLUTION" in told or len(audio) < len(codecs) or not codecs
    bits = told.get("BANDWIDTH", "")
    return Variant(address, int(bits[:12]) if bits.isdecimal() else 0, has_picture, bool(audio) or not codecs, sound)


def _attributes(line: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(line.partition(":")[2])}
