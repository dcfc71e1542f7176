"""A name for an event that both its message and its entry in a history give, and that may stand in an address."""

import re
import zlib
from typing import Final, NamedTuple

__all__ = ["EventId", "event_id", "read_event_id"]

_FORM: Final = re.compile(r"([A-Za-z0-9_.-]{1,64})~(\d{1,16})~([0-9a-f]{8})\Z")


class EventId(NamedTuple):
    """What an event's name says: its stream, when it began in milliseconds of Unix time, and a hash of its label."""

    stream: str
    milliseconds: int
    label_hash: str

    def fits(self, label: str, time: float) -> bool:
        """Tell whether it names the event of this label that began at `time`, in Unix seconds."""
        return self.label_hash == _hash(label) and self.milliseconds == _milliseconds(time)


def event_id(stream: str, label: str, time: float) -> str:
    """Return the name of the event of a label that began in a stream at `time`, in Unix seconds."""
    return f"{stream}~{_milliseconds(time)}~{_hash(label)}"


def read_event_id(text: str) -> EventId | None:
    """Take a name apart; None where it is none."""
    found = _FORM.match(text)
    return EventId(found[1], int(found[2]), found[3]) if found else None


def _milliseconds(time: float) -> int:
    return max(0, round(time * 1000))


def _hash(label: str) -> str:
    return f"{zlib.crc32(label.encode()):08x}"
