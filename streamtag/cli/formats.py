"""The forms in which `tag` gives its results: each turns one recording's into text."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamtag.event_tables import audacity_row, csv_row, on_one_line, raven_row, raven_title

if TYPE_CHECKING:
    from streamtag.events import Event
    from streamtag.tag_results import Result

__all__ = ["FORMATS", "Format", "Tagged"]


@dataclass(frozen=True, slots=True, eq=False)
class Tagged:
    """One recording with what it scored, or why it could not be tagged."""

    name: str
    """The recording's path; bytes that are no text are surrogates."""
    result: "Result | None"
    error: str = ""
    top: int = 5
    """How many of the best labels to show."""


@dataclass(frozen=True, slots=True)
class Format:
    """One form of the results."""

    suffix: str
    """What a file of results ends with."""
    render: Callable[[Tagged], str]
    """Gives the text of one recording; every line ends with a newline."""
    title: str = ""
    """A line before everything else."""
    tells_errors: bool = False
    """Whether the text itself says that a recording failed."""
    one_recording: bool = False
    """Whether a text cannot hold more than one recording."""


def _jsonl(tagged: Tagged) -> str:
    return _json_text(_object(tagged))


def _json(tagged: Tagged) -> str:
    fields = _object(tagged)
    if tagged.result is not None:
        fields |= {"labels": tagged.result.labels, "scores": tagged.result.patches.tolist()}
    return _json_text(fields)


def _object(tagged: Tagged) -> dict[str, Any]:
    result = tagged.result
    if result is None:
        return {"file": _name(tagged), "error": tagged.error}
    return {
        "file": _name(tagged),
        "seconds": result.seconds,
        "patches": len(result.patches),
        "top": [{"label": label, "score": score} for label, score in result.top(tagged.top)],
        "events": [
            {"label": event.label, "onset": event.onset, "offset": event.offset, "peak": event.peak}
            for event in result.events
        ],
    }


def _json_text(fields: dict[str, Any]) -> str:
    import msgspec

    return msgspec.json.encode(fields).decode() + "\n"


def _name(tagged: Tagged) -> str:
    """Return the path as text that JSON can hold, whatever bytes it is made of."""
    return os.fsencode(tagged.name).decode(errors="replace")


def _table(tagged: Tagged) -> str:
    result = tagged.result
    if result is None:
        return ""
    patches = len(result.patches)
    lines = [
        f"{on_one_line(tagged.name)}  ({result.seconds:.2f} s, {patches} {'patch' if patches == 1 else 'patches'})"
    ]
    lines += [f"{'MEAN':>22}  LABEL", *(f"{score:22.2f}  {label}" for label, score in result.top(tagged.top))]
    if result.events:
        lines.append(f"{'ONSET':>8}{'OFFSET':>8}{'PEAK':>6}  EVENT")
    lines += [f"{event.onset:8.2f}{event.offset:8.2f}{event.peak:6.2f}  {event.label}" for event in result.events]
    return "\n".join(lines) + "\n"


def _end(event: "Event") -> float:
    return event.onset if event.offset is None else event.offset


def _csv(tagged: Tagged) -> str:
    events = tagged.result.events if tagged.result else []
    return "".join(
        csv_row(tagged.name, f"{event.onset:.3f}", f"{_end(event):.3f}", event.label, f"{event.peak:.4f}")
        for event in events
    )


def _audacity(tagged: Tagged) -> str:
    events = tagged.result.events if tagged.result else []
    return "".join(audacity_row(event.onset, _end(event), event.label) for event in events)


def _raven(tagged: Tagged) -> str:
    if tagged.result is None:
        return ""
    # A selection is a box: in frequency it is all that the model hears and the recording can hold.
    low_hz, high_hz = tagged.result.band_hz
    high_hz = min(high_hz, tagged.result.rate / 2)
    low_hz = min(low_hz, high_hz / 2)
    name = os.path.basename(tagged.name)
    return "".join(
        raven_row(number, event.onset, _end(event), low_hz, high_hz, name, event.label, f"{event.peak:.4f}")
        for number, event in enumerate(tagged.result.events, start=1)
    )


FORMATS = {
    "table": Format(".txt", _table),
    "json": Format(".json", _json, tells_errors=True),
    "jsonl": Format(".jsonl", _jsonl, tells_errors=True),
    "csv": Format(".csv", _csv, title="file,onset,offset,label,peak\n"),
    "audacity": Format(".txt", _audacity, one_recording=True),
    "raven": Format(".selections.txt", _raven, title=raven_title("Begin File", "Label", "Score"), one_recording=True),
}
"""By the name that `--format` takes."""
