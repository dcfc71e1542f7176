"""Events as rows of the tables that other programs read: CSV, Audacity's labels, Raven's selections."""

import csv
import io

__all__ = ["audacity_row", "csv_row", "on_one_line", "raven_row", "raven_title"]

_STEERING = (*range(32), *range(127, 160), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_CONTROLS = {code: repr(chr(code))[1:-1] for code in _STEERING}
_RAVEN = ("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)")


def on_one_line(text: str) -> str:
    """Return a name fit to stand in a line or a column: what steers a terminal or ends a line is written out."""
    return text.translate(_CONTROLS)


def csv_row(*fields: str) -> str:
    """Return a row of CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(fields)
    return out.getvalue()


def audacity_row(begin: float, end: float, label: str) -> str:
    """Return a label of Audacity's, in seconds of the recording."""
    return f"{begin:.6f}\t{end:.6f}\t{on_one_line(label)}\n"


def raven_title(*columns: str) -> str:
    """Return the first line of a selection table of Raven's; `columns` are those behind its own."""
    return "\t".join((*_RAVEN, *columns)) + "\n"


def raven_row(number: int, begin: float, end: float, low_hz: float, high_hz: float, *columns: str) -> str:
    """Return a selection, a box in time and frequency; frequencies are decimals, which is what strict readers take."""
    box = f"{begin:.6f}\t{end:.6f}\t{low_hz:.1f}\t{high_hz:.1f}"
    return "\t".join((str(number), "Spectrogram 1", "1", box, *map(on_one_line, columns))) + "\n"
