"""More streams than the service can score: who loses what, and how it comes back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from streamtag.audio import PATCH_HOP
from streamtag.benchmark.live_streams import IN_TIME_MS, live_run
from streamtag.benchmark.load_generator import PATCH_SECONDS, SETTLE_SECONDS
from streamtag.benchmark.machine import first_cores
from streamtag.settings import Config

__all__ = ["Overload", "measure_overload"]

_SECONDS = 12.0
_AFTER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Overload:
    """What became of a crowd of streams, and of the few that stayed when the others had left."""

    streams: int
    few: int
    scored_percent: float
    """Of the crowd's patches."""
    dropped_percent_least: float
    """Of the stream that lost the smallest part of its patches while the crowd was there."""
    dropped_percent_median: float
    dropped_percent_most: float
    memory_mb: float
    """Resident, when the crowd left."""
    recovery_seconds: float | None
    """From when the crowd left to the first 0.96 s of which every patch of the few came within 100 ms. None: never."""
    late_percent: float
    """Of the few's patches after that, or after the crowd, those that were dropped or came later."""


def measure_overload(
    config: Config,
    streams: int,
    few: int,
    *,
    seconds: float = _SECONDS,
    after_seconds: float = _AFTER_SECONDS,
    settle_seconds: float = SETTLE_SECONDS,
    in_time_ms: float = IN_TIME_MS,
) -> Overload:
    """Push streams into a service that is held to one core, then go on with few of them.

    Args:
        config: whose model and scores are used.
        streams: how many.
        few: how many go on.
        seconds: how long all of them count.
        after_seconds: how long the few go on.
        settle_seconds: how long all streams go on before anything counts.
        in_time_ms: what came later is late.

    Raises:
        StreamtagError: the service does not start, or ends.
    """
    held, others = first_cores(1)
    with live_run(
        config,
        streams,
        seconds,
        few=few,
        few_seconds=after_seconds,
        settle_seconds=settle_seconds,
        cores=held,
        other_cores=others,
    ) as run:
        plan, meter = run.plan, run.meter
        meter.until(plan.crowd_end)
        memory = run.service.memory_megabytes()
        meter.until(plan.end)
        run.finish()
    crowd = replace(plan, end=plan.crowd_end)
    expected = np.array([crowd.expected(stream) for stream in range(streams)])
    captured, whose = np.array(meter.captured), np.array(meter.streams)
    received = np.bincount(whose[captured < plan.crowd_end], minlength=streams)
    lost_percent = 100 * (1 - received / expected)
    in_time = np.array(meter.latencies) < in_time_ms / 1000
    good = set(zip(whose[in_time].tolist(), captured[in_time].tolist(), strict=True))
    patches = range(int((plan.end - plan.begin) / PATCH_SECONDS) + 1)
    who = [stream for stream in range(streams) if plan.goes_on(stream)]
    due = ((stream, plan.captured(stream, patch * PATCH_HOP)) for stream in who for patch in patches)
    after = [patch for patch in due if plan.crowd_end <= patch[1] < plan.end]
    bad = sorted(patch[1] for patch in after if patch not in good)
    recovered = _first_round_without(bad, plan.crowd_end, plan.end)
    since = plan.crowd_end if recovered is None else recovered
    return Overload(
        streams=streams,
        few=few,
        scored_percent=100 * float(received.sum() / expected.sum()),
        dropped_percent_least=float(lost_percent.min()),
        dropped_percent_median=float(np.median(lost_percent)),
        dropped_percent_most=float(lost_percent.max()),
        memory_mb=memory,
        recovery_seconds=None if recovered is None else recovered - plan.crowd_end,
        late_percent=100 * sum(when > since for when in bad) / max(1, sum(when > since for _, when in after)),
    )


def _first_round_without(bad: Sequence[float], begin: float, end: float) -> float | None:
    """Return from when on none of the bad times, oldest first, lies in the next 0.96 s."""
    for when in (*bad, end):
        if when - begin >= PATCH_SECONDS:
            return begin
        begin = when
    return None
