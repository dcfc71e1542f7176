"""Measurements as a table in Markdown."""

from collections.abc import Mapping, Sequence

from deploy.measure import Speed

_HEAD = (
    "network",
    "runtime",
    "device",
    "in",
    "precision",
    "batch",
    "patches/s",
    "streams",
    "median ms",
    "p99 ms",
    "copy in, compute, copy out ms",
)


def as_markdown(about: Mapping[str, str], speeds: Sequence[Speed], notes: Sequence[str]) -> str:
    """Return the machine, the table, and what was not measured."""
    lines = ["# Speed of this machine", "", *(f"- {name}: {value}" for name, value in about.items()), ""]
    lines += ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * 5 + "---:|" * (len(_HEAD) - 5)]
    lines += ["| " + " | ".join(_cells(speed)) + " |" for speed in speeds]
    lines += ["", "Host memory to host memory, in calls one after another. A stream is one patch every 0.96 s."]
    lines += ["", *(f"- {note}" for note in notes)] if notes else []
    return "\n".join(lines) + "\n"


def _cells(speed: Speed) -> tuple[str, ...]:
    way = speed.way
    return (
        *(way.network, way.runtime, way.device, way.graph, way.precision),
        str(speed.batch),
        f"{speed.patches_a_second:,.0f}",
        f"{speed.streams:,}",
        f"{speed.median_ms:.3f}",
        "" if speed.p99_ms is None else f"{speed.p99_ms:.3f}",
        ", ".join(f"{value:.3f}" for value in speed.parts_ms.values()),
    )
