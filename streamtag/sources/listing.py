"""What a live HLS playlist has listed so far, and since when: that tells when its sound was captured.

A segment cannot hold sound of later than the moment at which it was first seen, and was not listed yet at the look
before. So whoever looks just before and just after the next one is due knows well when it appeared.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urljoin

from streamtag.sources.timeline import Clock

__all__ = ["Found", "Listing", "Segment", "segments_of"]

# Between two looks: where the next segment is due, and where it is overdue. The second is for as long as a pause lasts,
# after which the connection is given up.
_LOOK_SECONDS, _OVERDUE_LOOK_SECONDS = 0.2, 0.5
_OVERDUE_PART = 0.25
# Whoever makes a playlist decides what it claims.
_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.5, 30.0
_END = "#EXT-X-ENDLIST"
_MANY = 1000
_NUMBER = re.compile(r"\d{1,18}")
_FORM = re.compile(r'URI="([^"]*)"')
_FORM_PART = re.compile(r'BYTERANGE="\d+@(\d+)"')
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?")


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a stream, as its playlist lists it."""

    number: int
    """Its media sequence number."""
    address: str
    offset: int
    """Of its first byte behind that address."""
    seconds: float
    form: tuple[str, int] | None = None
    """Address and offset of what says how to decode it, where that is apart."""


@dataclass(frozen=True, slots=True)
class Found:
    """When a segment appeared in its playlist: not after `seen`, and not before `earliest`."""

    seen: float
    earliest: float
    has_gap: bool = False
    """Whether other segments are missing before it."""


def segments_of(text: str, address: str) -> list[Segment]:
    """The segments that a media playlist lists.

    Args:
        text: all of it.
        address: where it is.
    """
    found: list[Segment] = []
    number, seconds, offset, end = 0, 0.0, 0, 0
    form: tuple[str, int] | None = None
    for line in map(str.strip, text.splitlines()):
        name, _, value = line.partition(":")
        if name == "#EXT-X-MEDIA-SEQUENCE":
            number = _first_number(value)
        elif name == "#EXTINF":
            told = _SECONDS.match(value)
            seconds = float(told[0]) if told else 0.0
        elif name == "#EXT-X-BYTERANGE":
            length, at, begin = value.partition("@")
            offset = _first_number(begin) if at else end
            end = offset + _first_number(length)
        elif name == "#EXT-X-MAP":
            told = _FORM.search(value)
            part = _FORM_PART.search(value)
            form = (urljoin(address, told[1]), _first_number(part[1]) if part else 0) if told else None
        elif line and not line.startswith("#"):
            found.append(Segment(number, urljoin(address, line), offset, seconds, form))
            number, seconds, offset = number + 1, 0.0, 0
    return found


def _first_number(text: str) -> int:
    told = _NUMBER.match(text)
    return int(told[0]) if told else 0


class Listing:
    """Relates one connection's segments to the looks into their playlist; belongs to the connection's thread."""

    def __init__(self, clock: Clock, wait: Callable[[float], bool]) -> None:
        """Begin without a look.

        Args:
            clock: tells when it is looked into the playlist.
            wait: waits for so long; true if nobody listens any more.
        """
        self._text = ""
        self._served = 0  # times since the last look
        self._clock = clock
        self._wait = wait
        self._listed: list[Segment] = []
        self._found: dict[int, Found] = {}
        self._newest: int | None = None
        self._opened: int | None = None
        self._looked = 0.0
        self._expected = 0.0  # when the next segment may appear
        self._target = _SHORTEST_SECONDS
        self._has_ended = False

    @property
    def has_more(self) -> bool:
        """Whether there is something listed that was not opened yet, or nothing more will be."""
        if self._served > len(self._listed):  # what is still listed was left out
            return False
        return self._has_ended or (self._newest is not None and self._opened != self._newest)

    def serve(self) -> str:
        """Return the playlist as FFmpeg is to see it."""
        self._served += 1
        return self._text

    def due(self) -> float:
        """When it is worth looking again: about when the next segment is due, and less often after that."""
        overdue = self._looked - self._expected
        step = max(_LOOK_SECONDS, min(_OVERDUE_PART * overdue, _OVERDUE_LOOK_SECONDS))
        return max(self._looked + step, self._expected - _LOOK_SECONDS)

    def wait(self) -> bool:
        """Wait until it is worth looking again; false if nobody listens any more."""
        return not self._wait(max(0.0, self.due() - self._clock()) if self._text else 0.0)

    def look(self, text: str, address: str) -> None:
        """Take in what the playlist says now."""
        now = self._clock()
        listed = segments_of(text, address)
        target = re.search(r"^#EXT-X-TARGETDURATION:\s*(\d{1,9})", text, re.MULTILINE)
        self._target = min(max(float(target[1]) if target else 0.0, _SHORTEST_SECONDS), _LONGEST_SECONDS)
        if listed and self._listed and listed[-1].number < self._listed[0].number:  # it counts anew
            self._newest = self._opened = None
            self._found = {}
        earliest = self._looked if self._listed else float("-inf")
        self._has_ended = _END in text
        self._looked = now
        self._text, self._served = text if self._has_ended else _restless(text), 0
        new = [segment for segment in listed if self._newest is None or segment.number > self._newest]
        self._listed = listed or self._listed
        if not new:
            return
        for segment in new:
            self._found[segment.number] = Found(now, earliest)
        self._newest = new[-1].number
        length = min(max(new[-1].seconds, _SHORTEST_SECONDS), self._target)
        self._expected = max(earliest, now - length) + length
        if len(self._found) > _MANY:
            self._found = {number: found for number, found in self._found.items() if number >= listed[0].number}

    def open(self, address: str, offset: int) -> None:
        """Hear that FFmpeg opens what is there: the sound that comes now is of that segment, if it is one."""
        for segment in self._listed:
            is_new = self._opened is None or segment.number > self._opened
            if is_new and segment.offset == offset and segment.address == address:
                if self._opened is not None and segment.number != self._opened + 1:
                    self._found[segment.number] = replace(self._found[segment.number], has_gap=True)
                self._opened = segment.number
                return

    def is_form(self, address: str, offset: int) -> bool:
        """Whether it is no segment that is there, but what says how to decode some."""
        return any(segment.form == (address, offset) for segment in self._listed)

    @property
    def found(self) -> Found | None:
        """When the segment appeared that is being read; None where that is not known."""
        return None if self._opened is None else self._found.get(self._opened)


def _restless(text: str) -> str:
    """The playlist with lengths so short that FFmpeg asks again at once, and `Listing.due` alone says when to look."""
    lines = text.splitlines()
    last = max((number for number, line in enumerate(lines) if line.startswith("#EXTINF")), default=-1)
    for number, line in enumerate(lines):
        if line.startswith("#EXT-X-TARGETDURATION"):
            lines[number] = "#EXT-X-TARGETDURATION:0"
        elif number == last:
            lines[number] = "#EXTINF:0.01,"
    return "\n".join([*lines, ""])
