"""Events as tables that other programs read."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from streamtag.history.reader import StoredEvent

__all__ = ["FORMATS", "export"]

_LOW_HZ: Final = "125"
_HIGH_HZ: Final = "7500"


def export(events: Sequence[StoredEvent], form: str) -> str:
    """Write events as a table.

    Audacity and Raven count seconds from one zero: the moment at which the stream of the first event began. For
    events of one unbroken stream these are its stream seconds, so that they lie over a recording of it.

    Args:
        events: In any order.
        form: A key of `FORMATS`.
    """
    write, _ = FORMATS[form]
    return write(sorted(events, key=lambda event: (event.time, event.id)))


def _spans(events: Sequence[StoredEvent]) -> list[tuple[float, float]]:
    zero = events[0].time - events[0].onset if events else 0.0
    spans = []
    for event in events:
        begin = max(0.0, event.time - zero)
        spans.append((begin, begin + _seconds(event)))
    return spans


def _seconds(event: StoredEvent) -> float:
    return 0.0 if event.offset is None else max(0.0, event.offset - event.onset)


def _csv(events: Sequence[StoredEvent]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["time", "stream", "label", "onset", "offset", "peak"])
    for event in events:
        moment = datetime.fromtimestamp(event.time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        offset = "" if event.offset is None else f"{event.offset:.3f}"
        row = [moment, event.stream, _harmless(event.label), f"{event.onset:.3f}", offset, f"{event.peak:.4f}"]
        writer.writerow(row)
    return out.getvalue()


def _harmless(text: str) -> str:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text


def _audacity(events: Sequence[StoredEvent]) -> str:
    spans = _spans(events)
    return "".join(
        f"{begin:.6f}\t{end:.6f}\t{event.label}\n" for event, (begin, end) in zip(events, spans, strict=True)
    )


def _raven(events: Sequence[StoredEvent]) -> str:
    columns = "Selection View Channel Begin_Time_(s) End_Time_(s) Low_Freq_(Hz) High_Freq_(Hz) Label Stream Score"
    lines = [columns.replace(" ", "\t").replace("_", " ")]
    for number, (event, (begin, end)) in enumerate(zip(events, _spans(events), strict=True), start=1):
        span = f"{begin:.6f}\t{end:.6f}\t{_LOW_HZ}\t{_HIGH_HZ}"
        lines.append(f"{number}\tSpectrogram 1\t1\t{span}\t{event.label}\t{event.stream}\t{event.peak:.4f}")
    return "\n".join(lines) + "\n"


FORMATS: Final[dict[str, tuple[Callable[[Sequence[StoredEvent]], str], str]]] = {
    "csv": (_csv, "csv"),
    "audacity": (_audacity, "txt"),
    "raven": (_raven, "selections.txt"),
}
"""By name: what writes it, and how its file's name ends."""
