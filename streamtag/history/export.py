"""Events as tables that other programs read."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from streamtag.audio.frontend import HIGH_HZ, LOW_HZ
from streamtag.event_tables import audacity_row, csv_row, raven_row, raven_title
from streamtag.history.reader import StoredEvent

__all__ = ["FORMATS", "export"]


def export(events: Iterable[StoredEvent], form: str) -> Iterator[str]:
    """Write events as a table, line by line.

    Audacity and Raven count seconds from one zero: the moment at which the stream of the first event began. For
    events of one unbroken stream these are its stream seconds, so that they lie over a recording of it.

    Args:
        events: Oldest first.
        form: A key of `FORMATS`.
    """
    write, _ = FORMATS[form]
    return write(events)


def _spans(events: Iterable[StoredEvent]) -> Iterator[tuple[StoredEvent, float, float]]:
    zero: float | None = None
    for event in events:
        zero = event.time - event.onset if zero is None else zero
        begin = max(0.0, event.time - zero)
        yield event, begin, begin + _seconds(event)


def _seconds(event: StoredEvent) -> float:
    return 0.0 if event.offset is None else max(0.0, event.offset - event.onset)


def _csv(events: Iterable[StoredEvent]) -> Iterator[str]:
    yield csv_row("time", "stream", "label", "onset", "offset", "peak")
    for event in events:
        moment = datetime.fromtimestamp(event.time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        offset = "" if event.offset is None else f"{event.offset:.3f}"
        yield csv_row(moment, event.stream, _harmless(event.label), f"{event.onset:.3f}", offset, f"{event.peak:.4f}")


def _harmless(text: str) -> str:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text


def _audacity(events: Iterable[StoredEvent]) -> Iterator[str]:
    for event, begin, end in _spans(events):
        yield audacity_row(begin, end, event.label)


def _raven(events: Iterable[StoredEvent]) -> Iterator[str]:
    yield raven_title("Label", "Stream", "Score")
    for number, (event, begin, end) in enumerate(_spans(events), start=1):
        yield raven_row(number, begin, end, LOW_HZ, HIGH_HZ, event.label, event.stream, f"{event.peak:.4f}")


FORMATS: Final[dict[str, tuple[Callable[[Iterable[StoredEvent]], Iterator[str]], str]]] = {
    "csv": (_csv, "csv"),
    "audacity": (_audacity, "txt"),
    "raven": (_raven, "selections.txt"),
}
"""By name: what writes it, and how its file's name ends."""
