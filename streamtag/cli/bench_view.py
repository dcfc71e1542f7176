"""What `streamtag bench` found, as tables."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from streamtag.benchmark import Live, ModelSpeed, Overload, Report, Scaling, Sustained

__all__ = ["heading", "show"]

_WIDTH = 140  # where the output is no terminal
_NONE = "none"
_LIVE = (
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
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _WIDTH
    versions = ", ".join(f"{name} {number}" for name, number in report.machine["versions"].items())
    console.print(f"{heading(report)}, {report.machine['memory_gib']} GiB; {report.machine['system']}")
    console.print(f"Python {report.machine['python']}, {versions}")
    for table in _tables(report):
        console.print()
        console.print(table)


def heading(report: Report) -> str:
    """Return what the figures are of."""
    return f"{report.machine['processor']}, {report.machine['cores']} cores"


def _tables(report: Report) -> Iterable[Table | str]:
    yield _stages(report)
    handling, one_core = report.handling, report.one_core
    yield (
        f"beside front end and network, {handling.streams} streams: {handling.patch_us:.0f} µs a patch from "
        f"its queue to the wire, {handling.sound_in_us:.0f} µs to take 960 ms of PCM in"
    )
    yield (
        f"whole path on one core: {one_core.milliseconds:.3f} ms a patch, "
        f"{one_core.times_real_time:.0f} times real time ({one_core.patches} patches)"
    )
    yield _lives(f"live for {report.live.seconds:.0f} s, {report.live.block_ms:g} ms in a message", [report.live])
    if report.growth:
        first = report.growth[0]
        yield _lives(f"growth, {first.seconds:.0f} s each, {first.block_ms:g} ms in a message", report.growth)
    if report.idle is not None:
        yield f"an idle stream takes {report.idle.kilobytes_a_stream:.0f} kB (beyond {report.idle.streams} others)"
    if report.scaling is not None:
        yield _scaling(report.scaling)
    for sustained in report.sustained:
        yield _sustained(sustained)
    if report.overload is not None:
        yield _overload(report.overload)
    if report.models:
        yield _models(report.models)


def _stages(report: Report) -> Table:
    batches = sorted({stage.batch for stage in report.stages})
    cells = {(stage.name, stage.batch): f"{stage.milliseconds:.3f}" for stage in report.stages}
    names = dict.fromkeys(stage.name for stage in report.stages)
    return _table(
        ("ms a patch, one thread", *(f"batch {batch}" for batch in batches)),
        [(name, *(cells[name, batch] for batch in batches)) for name in names],
    )


def _lives(title: str, rows: Sequence[Live]) -> Table:
    return _table(_LIVE, [_live(row) for row in rows], title)


def _live(row: Live) -> tuple[str, ...]:
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


def _scaling(scaling: Scaling) -> Table:
    rows = [
        (
            "one core" if run.threads == 1 else f"{run.threads} cores",
            f"{run.cpu_ms_a_patch:.3f}",
            f"{run.patches_a_second:.0f}",
            f"{run.streams:,}",
        )
        for run in (*scaling.one, *scaling.two)
    ]
    factor = "" if scaling.factor is None else f"; two cores carry {scaling.factor:.2f} times as many"
    return _table(
        ("", "CPU ms a patch", "patches a second", "streams"), rows, f"scored and published from memory{factor}"
    )


def _sustained(sustained: Sustained) -> Table:
    cores = "one core" if sustained.cores == 1 else f"{sustained.cores} cores"
    found = f"{sustained.streams:,} streams" if sustained.streams else "nothing proven"
    runs = [*sustained.trials, *sustained.proofs]
    rows = [(f"{run.seconds:.0f} s", *_live(run)) for run in runs]
    return _table(("tried for", *_LIVE), rows, f"live on {cores}: {found}")


def _overload(overload: Overload) -> str:
    recovery = overload.recovery_seconds
    after = "no round in time" if recovery is None else f"in time {recovery:.1f} s later"
    return (
        f"overload, {overload.streams:,} streams on one core: {overload.scored_percent:.0f} % scored; a stream lost "
        f"{overload.dropped_percent_least:.0f} to {overload.dropped_percent_most:.0f} % "
        f"(median {overload.dropped_percent_median:.0f} %); {overload.memory_mb:.0f} MB; "
        f"back to {overload.few:,} streams: {after}, {overload.late_percent:.2f} % of patches late after that"
    )


def _models(models: Sequence[ModelSpeed]) -> Table:
    rows: list[tuple[str, ...]] = []
    for model in models:
        if model.scoring is None:
            rows.append((model.variant.bundle, model.variant.runtime, model.reason))
            continue
        scoring = model.scoring
        network = (f"{milliseconds:.3f}" for milliseconds in scoring.network_ms.values())
        rows.append(
            (scoring.bundle, scoring.runtime, *network, f"{scoring.cpu_ms_a_patch:.3f}", f"{scoring.streams:,}")
        )
    batches = next((list(model.scoring.network_ms) for model in models if model.scoring is not None), [])
    titles = ("bundle", "runtime", *(f"batch {batch}" for batch in batches), "scored and published", "streams")
    return _table(titles, rows, "CPU ms a patch on one core: the network alone, and all from samples in memory", 2)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None, texts: int = 1) -> Table:
    """Lay out rows; the first `texts` columns are of text, the others of numbers."""
    table = Table(box=None, title=title, title_justify="left", title_style="", pad_edge=False, padding=(0, 2, 0, 0))
    for number, name in enumerate(titles):
        table.add_column(name, justify="left" if number < texts else "right", header_style="", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1f}"
