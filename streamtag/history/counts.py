"""How many events of each label there were: by hour, by day, and beside what is usual."""

import sqlite3
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

__all__ = ["LabelCounts", "count_events"]

HOUR: Final = 3600.0


@dataclass(slots=True)
class LabelCounts:
    """How often a label was heard.

    Attributes:
        label: its name.
        counts: events that began in each of the spans asked for.
        first: Unix seconds of the first of them.
        last: Unix seconds of the last.
        before: events in each of the earlier spans, the latest first, as far into them as the span asked for has gone.
    """

    label: str
    counts: list[int]
    before: list[int]
    first: float = 0.0
    last: float = 0.0
    total: int = field(default=0)


_QUERY: Final = """SELECT label, CAST((time - :origin) / 3600.0 AS INTEGER) AS hour, COUNT(*), MIN(time), MAX(time),
    SUM(time - :origin - :span * CAST((time - :origin) / :span AS INTEGER) < :elapsed)
    FROM events WHERE {time} >= :origin AND {time} < :until {stream} GROUP BY label, hour"""


def count_events(
    base: sqlite3.Connection, edges: Sequence[float], *, elapsed: float, earlier: int, stream: str = ""
) -> list[LabelCounts]:
    """Count in one query the events of each label, those that were heard most first.

    Args:
        base: a history.
        edges: Unix seconds between which the spans to count in lie, ascending, whole hours apart.
        elapsed: how many seconds of the time between the first and the last edge have passed.
        earlier: how many stretches of the same length before it are counted too, each for its first `elapsed` seconds.
        stream: of this stream alone; empty: of all.
    """
    begin, end = edges[0], edges[-1]
    span = end - begin
    origin = begin - earlier * span
    values = {"origin": origin, "span": span, "elapsed": elapsed, "until": end, "stream": stream}
    found: dict[str, LabelCounts] = {}
    # Of all streams the index by label holds all that is asked for; by time (and `+` keeps from that) each event's row
    # would have to be looked up, which takes five times as long.
    query = _QUERY.format(time="time" if stream else "+time", stream="AND stream = :stream" if stream else "")
    for label, hour, count, first, last, so_far in base.execute(query, values):
        each = found.get(label)
        if each is None:
            each = found[label] = LabelCounts(label, [0] * (len(edges) - 1), [0] * earlier)
        moment = origin + HOUR * hour
        if moment >= begin:
            each.counts[bisect_right(edges, moment + 1.0) - 1] += count
            each.total += count
            each.first = min(each.first or first, first)
            each.last = max(each.last, last)
        else:
            each.before[int((begin - moment - 1.0) // span)] += so_far
    return sorted(found.values(), key=lambda each: (-each.total, each.label))
