"""All of a run's measures in order."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from streamtag.benchmark.growth import Idle, measure_growth, measure_idle
from streamtag.benchmark.handling import Handling, measure_handling
from streamtag.benchmark.live import Live, measure_live
from streamtag.benchmark.machine import describe_machine
from streamtag.benchmark.models import ModelSpeed, measure_models
from streamtag.benchmark.overload import Overload, measure_overload
from streamtag.benchmark.plan import PATCH_SECONDS
from streamtag.benchmark.playing import LARGE_BLOCK, SHORT_BLOCK
from streamtag.benchmark.scoring import Scaling, measure_scaling
from streamtag.benchmark.stages import Stage, measure_stages
from streamtag.benchmark.sustained import Sustained, measure_sustained
from streamtag.benchmark.throughput import Throughput, measure_throughput
from streamtag.settings import Config

__all__ = ["Report", "Wishes", "measure"]

_ONE_CORE_SECONDS = 5.0
_SCORING_SECONDS = 5.0
_MODEL_SECONDS = 3.0
_HANDLING_STREAMS = 1000
_SMALL_BLOCKS_UP_TO = 50
_MOST_CORES = 2


@dataclass(frozen=True, slots=True)
class Wishes:
    """What to measure beside the stages and the whole path on one core."""

    streams: int
    """Live."""
    seconds: float
    """Of the live streams, and of each number of streams in the growth."""
    growth: bool = False
    sustained_seconds: float | None = None
    models: bool = False
    overload: bool = False


@dataclass(slots=True)
class Report:
    """What was measured; what was not wished for is None or empty."""

    machine: dict[str, Any]
    model: dict[str, str]
    stages: list[Stage]
    handling: Handling
    one_core: Throughput
    live: Live
    growth: list[Live] = field(default_factory=list)
    idle: Idle | None = None
    scaling: Scaling | None = None
    sustained: list[Sustained] = field(default_factory=list)
    overload: Overload | None = None
    models: list[ModelSpeed] = field(default_factory=list)


def measure(config: Config, wishes: Wishes, tell: Callable[[str], None]) -> Report:
    """Measure what is wished for; `tell` is told what is being done.

    Raises:
        StreamtagError: the bundle or the runtime cannot be used, or the service does not start.
    """
    machine = describe_machine()
    tell("measuring the stages")
    stages = measure_stages(config)
    tell(f"measuring what a patch costs beside the model, with {_HANDLING_STREAMS} streams")
    handling = measure_handling(config, _HANDLING_STREAMS)
    tell("measuring the whole path on one core")
    one_core = measure_throughput(config, min(wishes.seconds, _ONE_CORE_SECONDS))
    tell(f"measuring {_streams(wishes.streams)}")
    block = SHORT_BLOCK if wishes.streams <= _SMALL_BLOCKS_UP_TO else LARGE_BLOCK
    live = measure_live(config, wishes.streams, wishes.seconds, block)
    model = {"bundle": config.model.bundle, "runtime": config.model.runtime}
    report = Report(machine, model, stages, handling, one_core, live)
    if wishes.growth:
        tell("measuring the memory of idle streams")
        report.idle = measure_idle(config)
        report.growth = measure_growth(config, wishes.seconds, lambda streams: tell(f"growth: {_streams(streams)}"))
    if wishes.sustained_seconds is not None or wishes.overload:
        tell("scoring from memory on one core and on two")
        report.scaling = scaling = measure_scaling(config, _SCORING_SECONDS)
        a_patch = min(run.cpu_ms_a_patch for run in scaling.one) + handling.sound_in_us / 1000
        guess = max(1, int(1000 * PATCH_SECONDS / a_patch))
        if wishes.sustained_seconds is not None:
            report.sustained = _sustain(config, wishes.sustained_seconds, guess, tell)
        if wishes.overload:
            crowd = 3 * guess // 2  # about twice what a core carries live, where sound must be taken in too
            tell(f"overload: {_streams(crowd)} on one core")
            report.overload = measure_overload(config, crowd, max(1, guess // 4))
    if wishes.models:
        report.models = measure_models(config, _MODEL_SECONDS, lambda name: tell(f"measuring {name}"))
    return report


def _sustain(config: Config, seconds: float, guess: int, tell: Callable[[str], None]) -> list[Sustained]:
    runs: list[Sustained] = []
    for cores in range(1, min(_MOST_CORES, len(os.sched_getaffinity(0))) + 1):
        name = "one core" if cores == 1 else f"{cores} cores"

        def told(streams: int, name: str = name) -> None:
            tell(f"{name}: {_streams(streams)}")

        runs.append(measure_sustained(config, cores, seconds, guess, told))
        guess = (cores + 1) * (runs[0].streams or guess)
    return runs


def _streams(count: int) -> str:
    return "1 live stream" if count == 1 else f"{count} live streams"
