"""What `streamtag bench` found, as tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from streamtag.benchmark import Report
from streamtag.benchmark.live_streams import LiveStreams

__all__ = ["LIVE_TITLES", "heading", "lay_out", "live_row", "live_table", "print_tables", "show"]

_WIDTH = 140  # where the output is no terminal
_NONE = "none"
LIVE_TITLES = (
    "streams",
    "CPU ms a patch",
    "cores",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "pushed late",
    "dropped",
    "MB",
    "in real time",
)


def show(report: Report) -> None:
    """Print all that was measured."""
    versions = ", ".join(f"{name} {number}" for name, number in report.machine["versions"].items())
    first = f"{heading(report.machine)}, {report.machine['memory_gib']} GiB; {report.machine['system']}"
    print_tables(f"{first}\nPython {report.machine['python']}, {versions}", _tables(report))


def print_tables(heading: str, tables: Iterable[Table | str]) -> None:
    """Print a heading, and tables and lines below it."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(heading)
    for table in tables:
        console.print()
        console.print(table)


def heading(machine: Mapping[str, Any]) -> str:
    """Return what the figures are of."""
    features = ", ".join(machine["features"]) or "none of AVX2, AVX-512, VNNI, AMX"
    return f"{machine['processor']} ({features}), {machine['cores']} cores"


def _tables(report: Report) -> Iterable[Table | str]:
    yield _stages(report)
    overhead, one_core = report.overhead, report.one_core
    yield (
        f"beside front end and network, {overhead.streams} streams: {overhead.patch_us:.0f} µs a patch from "
        f"its queue to the wire, {overhead.sound_in_us:.0f} µs to take 960 ms of PCM in"
    )
    yield (
        f"whole path on one core: {one_core.milliseconds:.3f} ms a patch, "
        f"{one_core.times_real_time:.0f} times real time ({one_core.patches} patches)"
    )
    yield live_table(f"live for {report.live.seconds:.0f} s, {report.live.block_ms:g} ms in a message", [report.live])


def _stages(report: Report) -> Table:
    batches = sorted({stage.batch for stage in report.stages})
    cells = {(stage.name, stage.batch): f"{stage.milliseconds:.3f}" for stage in report.stages}
    names = dict.fromkeys(stage.name for stage in report.stages)
    return lay_out(
        ("ms a patch, one thread", *(f"batch {batch}" for batch in batches)),
        [(name, *(cells[name, batch] for batch in batches)) for name in names],
    )


def live_table(title: str, rows: Sequence[LiveStreams]) -> Table:
    """Lay out live streams."""
    return lay_out(LIVE_TITLES, [live_row(row) for row in rows], title)


def live_row(row: LiveStreams) -> tuple[str, ...]:
    """Return the cells of one number of live streams."""
    dropped = "0"
    if row.dropped_patches:
        share = 100 * row.dropped_patches / row.expected_patches
        dropped = f"{share:.1f} % ({row.dropped_percent_least:.0f} to {row.dropped_percent_most:.0f})"
    if row.missed_messages:
        dropped += f", {row.missed_messages} missed"
    return (
        f"{row.streams:,}",
        f"{row.cpu_ms_a_patch:.3f}",
        f"{row.cpu_percent / 100:.2f}",
        _number(row.latency_ms_p50),
        _number(row.latency_ms_p95),
        _number(row.latency_ms_p99),
        _number(row.pushed_late_ms_p99),
        dropped,
        f"{row.memory_mb:.0f}",
        "yes" if row.in_real_time else "no",
    )


def lay_out(titles: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None, texts: int = 1) -> Table:
    """Lay out rows; the first `texts` columns are of text, the others of numbers."""
    table = Table(box=None, title=title, title_justify="left", title_style="", pad_edge=False, padding=(0, 2, 0, 0))
    for number, name in enumerate(titles):
        table.add_column(name, justify="left" if number < texts else "right", header_style="", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1f}"
