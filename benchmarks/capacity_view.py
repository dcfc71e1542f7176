"""What `benchmarks.capacity` found, as tables and as a picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from benchmarks.models import ModelSpeed
from benchmarks.overload import Overload
from benchmarks.scoring import Scaling
from benchmarks.sustained import Sustained
from streamtag.cli.bench_view import LIVE_TITLES, heading, lay_out, live_row, live_table, print_tables

if TYPE_CHECKING:
    from benchmarks.capacity import Capacity

__all__ = ["draw_growth", "show"]

_BEYOND = 1.5  # latencies beyond so many times the largest that was carried are drawn there: they only wait in a queue
_LATENCIES = ("p50", "p95", "p99")
_Points = list[tuple[int, float, bool]]
"""Streams, what they took, and whether they were carried."""


def show(found: Capacity) -> None:
    """Print all that was measured."""
    print_tables(heading(found.machine), _tables(found))


def draw_growth(found: Capacity, path: Path) -> None:
    """Draw processor time and latency over the number of streams; numbers that were not carried have hollow marks."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    rows = found.growth
    ceiling = _BEYOND * max((row.latency_ms_p99 or 0 for row in rows if row.in_real_time), default=math.inf)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    figure.suptitle(heading(found.machine), fontsize=11)
    cores: _Points = [(row.streams, row.cpu_percent / 100, row.in_real_time) for row in rows]
    curves = [(left, "service", cores)]
    for name in _LATENCIES:
        values = [(row.streams, getattr(row, f"latency_ms_{name}"), row.in_real_time) for row in rows]
        curves.append((right, name, [(x, min(y, ceiling), carried) for x, y, carried in values if y is not None]))
    for axes, label, points in curves:
        (line,) = axes.plot([x for x, _, _ in points], [y for _, y, _ in points], label=label)
        for x, y, carried in points:
            axes.plot(x, y, marker="o", markersize=4, fillstyle="full" if carried else "none", color=line.get_color())
    left.set_ylabel("cores used")
    right.set_ylabel("ms from capture to subscriber")
    for axes in (left, right):
        axes.set_xlabel("live streams (hollow: more than it carries)")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(path, format="svg")
    plt.close(figure)


def _tables(found: Capacity) -> Iterable[Table | str]:
    if found.growth:
        first = found.growth[0]
        yield live_table(f"growth, {first.seconds:.0f} s each, {first.block_ms:g} ms in a message", found.growth)
    if found.idle is not None:
        yield f"an idle stream takes {found.idle.kilobytes_a_stream:.0f} kB (beyond {found.idle.streams} others)"
    if found.scaling is not None:
        yield _scaling(found.scaling)
    for sustained in found.sustained:
        yield _sustained(sustained)
    if found.overload is not None:
        yield _overload(found.overload)
    if found.models:
        yield _models(found.models)


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
    return lay_out(
        ("", "CPU ms a patch", "patches a second", "streams"), rows, f"scored and published from memory{factor}"
    )


def _sustained(sustained: Sustained) -> Table:
    cores = "one core" if sustained.cores == 1 else f"{sustained.cores} cores"
    found = f"{sustained.streams:,} streams" if sustained.streams else "nothing proven"
    runs = [*sustained.trials, *sustained.proofs]
    rows = [(f"{run.seconds:.0f} s", *live_row(run)) for run in runs]
    return lay_out(("tried for", *LIVE_TITLES), rows, f"live on {cores}: {found}")


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
    return lay_out(titles, rows, "CPU ms a patch on one core: the network alone, and all from samples in memory", 2)
