"""The live view as rich draws it, from 60 by 16 characters up."""

from dataclasses import dataclass

from rich import box
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from streamtag.cli.live_state import LOWEST_DBFS, LabelRow, LiveState, ShownEvent

__all__ = ["Caption", "draw", "label_rows"]

_MINUS = "\N{MINUS SIGN}"
_MEAN = "│"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_ACCENT = "#4fd6be"
_CALM = "#4a78b0"
_DARK = "#0d1117"
_TRACK = "#2b3038"
_QUIET = "#8b949e"
_GOOD, _CARE, _BAD = "#3fb950", "#d29922", "#f85149"
_METER = ((-12.0, _GOOD), (-3.0, _CARE), (0.0, _BAD))
_STATES = {
    "starting": ("starting", _CARE),
    "live": ("live", _GOOD),
    "paused": ("paused", _QUIET),
    "reconnecting": ("trying to connect again", _CARE),
    "stalled": ("no sound arrives", _CARE),
    "ended": ("ended", _QUIET),
    "failed": ("failed", _BAD),
}
_AROUND_ROWS = 10  # lines of the view beside those of the labels
_NARROW = 70  # below it the labels have the whole width
_FRAME = 4  # a panel's border and padding, left and right
_FAINT = 0.1  # such a score is as good as none, and its row soon goes


@dataclass(frozen=True, slots=True)
class Caption:
    """What the view says beside what it hears."""

    title: str
    """What is being tagged."""
    subscribe: str
    """The command that prints the messages."""
    page: str
    """The web page's address, or why there is none."""


def label_rows(height: int) -> int:
    """Return how many labels fit on a terminal of so many lines."""
    return max(3, height - _AROUND_ROWS)


def draw(state: LiveState, caption: Caption, width: int, height: int) -> RenderableType:
    """Return the view of this moment.

    Args:
        state: what is known.
        caption: what does not change.
        width: of the terminal, in characters.
        height: of the terminal, in lines.
    """
    rows = label_rows(height)
    state.board.resize(rows)
    labels_width = width if width < _NARROW else width * 4 // 7
    panels: list[RenderableType] = [_labels(state, labels_width, rows)]
    if labels_width < width:
        panels.append(_events(state, width - labels_width, rows))
    return Group(
        _head(state, caption, width),
        Text(),
        *_meter(state, width),
        Columns(panels, padding=0),
        *_foot(state, caption),
    )


def _head(state: LiveState, caption: Caption, width: int) -> Text:
    words, colour = _STATES.get(state.state, (state.state, _CARE))
    reason = f": {state.reason}" if state.reason else ""
    right = Text.assemble(("● ", colour), (words + reason, "bold"), f"  {_clock(state.position)} ")
    left = Text.assemble((" Streamtag ", f"bold {_DARK} on {_ACCENT}"), "  ", (caption.title, "bold"))
    right.truncate(width // 2, overflow="ellipsis")
    left.truncate(width - right.cell_len - 2, overflow="ellipsis")
    return Text.assemble(left, " " * (width - left.cell_len - right.cell_len), right, no_wrap=True)


def _meter(state: LiveState, width: int) -> list[Text]:
    size = width - 36
    level = Text(" level  ", style=_QUIET)
    filled = _cells(state.shown_dbfs, size)
    peak = round(_cells(state.peak_dbfs, size))
    zones = [(round(_cells(upper, size)), colour) for upper, colour in _METER]
    for cell in range(size):
        colour = next(colour for upper, colour in zones if cell < upper or upper == size)
        if cell == peak - 1 and peak > filled:
            level.append("▕", f"bold {colour} on {_TRACK}")
        else:
            level.append(_block(filled - cell), f"{colour} on {_TRACK}")
    level.append(f"  {_dbfs(state.rms_dbfs)} dBFS", "bold")
    level.append(f"  peak {_dbfs(state.peak_dbfs)}", _QUIET)
    scale = [" "] * (size + 4)
    for mark in range(int(LOWEST_DBFS), 1, 12):
        text = str(mark).replace("-", _MINUS)
        column = min(round(_cells(mark, size)), size - 1)
        scale[column : column + len(text)] = text
    return [level, Text("        " + "".join(scale), style=_QUIET)]


def _labels(state: LiveState, width: int, rows: int) -> Panel:
    inner = width - _FRAME
    name_width = min(28, inner // 2 - 2)
    bar = inner - name_width - 8
    heading = Text(" " * (2 + name_width + 1), style=_QUIET, no_wrap=True)
    legend = f"█ now  {_MEAN} mean of {state.rolling}" if state.rolling else "█ now"
    heading.append(f"{legend:<{bar}}")
    lines = [Text() if row is None else _label(row, state, name_width, bar) for row in state.board.rows[:rows]]
    return _panel("what it hears", [heading, *lines], width, rows)


def _label(row: LabelRow, state: LiveState, name_width: int, bar: int) -> Text:
    on = row.index in state.open_labels
    faded = row.strength < _FAINT
    name = Text(row.label, style="bold" if on else _QUIET if faded else "")
    name.truncate(name_width, overflow="ellipsis", pad=True)
    line = Text.assemble(("● " if on else "  ", _ACCENT), no_wrap=True)
    line.append_text(name).append(" ")
    filled = row.shown * bar
    mean = min(bar - 1, int(row.rolling * bar))
    colour = _ACCENT if on else _CALM
    for cell in range(bar):
        if cell == mean and not faded:
            line.append(_MEAN, f"{_DARK} on {colour}" if cell < int(filled) else f"white on {_TRACK}")
        else:
            line.append(_block(filled - cell), f"{colour} on {_TRACK}")
    line.append(f" {row.patch:.2f}", "bold" if on else _QUIET if faded else "")
    return line


def _events(state: LiveState, width: int, rows: int) -> Panel:
    heading = Text("   onset   length  label", style=_QUIET, no_wrap=True)
    newest = list(reversed(state.events.values()))[:rows]
    lines = [_event(event, state.position, width - _FRAME) for event in newest]
    return _panel("events", [heading, *lines], width, rows)


def _event(event: ShownEvent, position: float, width: int) -> Text:
    on = event.offset is None
    seconds = max(0.0, (position if event.offset is None else event.offset) - event.onset)
    line = Text.assemble(("● " if on else "  ", _ACCENT), no_wrap=True)
    line.append(f"{_clock(event.onset):>6}", "" if on else _QUIET)
    line.append(f" {seconds:6.1f} s  ", "bold" if on else _QUIET)
    label = Text(event.label, style="bold" if on else "")
    label.truncate(max(4, width - line.cell_len), overflow="ellipsis")
    return line.append_text(label)


def _panel(title: str, lines: list[Text], width: int, rows: int) -> Panel:
    return Panel(
        Group(*lines),
        title=title,
        title_align="left",
        box=box.ROUNDED,
        border_style=_QUIET,
        width=width,
        height=rows + 3,
    )


def _foot(state: LiveState, caption: Caption) -> list[Text]:
    lost = f", {state.dropped} dropped" if state.dropped else ""
    return [
        _fact("messages", caption.subscribe),
        _fact("web page", caption.page),
        _fact("model", f"{state.model}; {state.patches} patches{lost}; Ctrl-C ends"),
    ]


def _fact(name: str, value: str) -> Text:
    line = Text.assemble((f" {name:<10}", _QUIET), value, no_wrap=True)
    line.overflow = "ellipsis"
    return line


def _cells(dbfs: float, size: int) -> float:
    return size * min(1.0, max(0.0, 1 - dbfs / LOWEST_DBFS))


def _block(part: float) -> str:
    """Return a cell that is filled from the left by `part` of its width."""
    return _EIGHTHS[min(8, max(0, round(part * 8)))]


def _dbfs(value: float) -> str:
    return f"{value:6.1f}".replace("-", _MINUS)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0.0, seconds), 60)
    return f"{int(minutes)}:{rest:04.1f}"
