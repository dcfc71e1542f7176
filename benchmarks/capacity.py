"""How much a machine carries: growth, the most live streams, overload, and every model beside each other.

    python -m benchmarks.capacity --growth --plot growth.svg --sustained 60 --overload --models --json capacity.json

Takes a quarter of an hour where all of it is asked for, on a machine that should have nothing else to do.
"""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from benchmarks.capacity_view import draw_growth, show
from benchmarks.growth import Idle, measure_growth, measure_idle
from benchmarks.models import ModelSpeed, measure_models
from benchmarks.overload import Overload, measure_overload
from benchmarks.scoring import Scaling, measure_scaling
from benchmarks.sustained import Sustained, measure_sustained
from streamtag.benchmark.live_streams import LiveStreams
from streamtag.benchmark.load_generator import PATCH_SECONDS
from streamtag.benchmark.machine import describe_machine
from streamtag.benchmark.overhead import measure_overhead
from streamtag.cli.output import to_json
from streamtag.config import load_config
from streamtag.runtime_kinds import RUNTIME_NAMES
from streamtag.settings import Config

_SCORING_SECONDS = 5.0
_MODEL_SECONDS = 3.0
_OVERHEAD_STREAMS = 1000
_MOST_CORES = 2


@dataclass(slots=True)
class Capacity:
    """What was measured; what was not asked for is None or empty."""

    machine: dict[str, Any]
    model: dict[str, str]
    growth: list[LiveStreams] = field(default_factory=list)
    idle: Idle | None = None
    scaling: Scaling | None = None
    sustained: list[Sustained] = field(default_factory=list)
    overload: Overload | None = None
    models: list[ModelSpeed] = field(default_factory=list)


def measure(config: Config, options: argparse.Namespace, progress: Callable[[str], None]) -> Capacity:
    """Measure what is asked for; `progress` is told what is being done.

    Raises:
        StreamtagError: the bundle or the runtime cannot be used, or the service does not start.
    """
    found = Capacity(describe_machine(), {"bundle": config.model.bundle, "runtime": config.model.runtime})
    if options.growth or options.plot:
        progress("measuring the memory of idle streams")
        found.idle = measure_idle(config)
        found.growth = measure_growth(config, options.seconds, lambda streams: progress(f"growth: {_streams(streams)}"))
    if options.sustained is not None or options.overload:
        progress("scoring from memory on one core and on two")
        found.scaling = scaling = measure_scaling(config, _SCORING_SECONDS)
        sound_in_us = measure_overhead(config, _OVERHEAD_STREAMS).sound_in_us
        a_patch = min(run.cpu_ms_a_patch for run in scaling.one) + sound_in_us / 1000
        guess = max(1, int(1000 * PATCH_SECONDS / a_patch))
        if options.sustained is not None:
            found.sustained = _sustain(config, options.sustained, guess, progress)
        if options.overload:
            crowd = 3 * guess // 2  # about twice what a core carries live, where sound must be taken in too
            progress(f"overload: {_streams(crowd)} on one core")
            found.overload = measure_overload(config, crowd, max(1, guess // 4))
    if options.models:
        found.models = measure_models(config, _MODEL_SECONDS, lambda name: progress(f"measuring {name}"))
    return found


def _sustain(config: Config, seconds: float, guess: int, progress: Callable[[str], None]) -> list[Sustained]:
    runs: list[Sustained] = []
    for cores in range(1, min(_MOST_CORES, len(os.sched_getaffinity(0))) + 1):
        name = "one core" if cores == 1 else f"{cores} cores"

        def told(streams: int, name: str = name) -> None:
            progress(f"{name}: {_streams(streams)}")

        runs.append(measure_sustained(config, cores, seconds, guess, told))
        guess = (cores + 1) * (runs[0].streams or guess)
    return runs


def _streams(count: int) -> str:
    return "1 live stream" if count == 1 else f"{count} live streams"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--config", type=Path, help="whose model and scores are used")
    parser.add_argument("--runtime", choices=RUNTIME_NAMES)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each number of streams in the growth")
    parser.add_argument("--growth", action="store_true", help="1 to 5,000 live streams, and the memory of idle ones")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="--growth, drawn as SVG")
    parser.add_argument(
        "--sustained", type=float, metavar="S", help="the most streams on one core and on two, held for S seconds"
    )
    parser.add_argument("--overload", action="store_true", help="twice too many streams: who loses what, and after it")
    parser.add_argument("--models", action="store_true", help="every bundle and runtime that is here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it as JSON")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure what is asked for, and show it."""
    options = parse()
    config = load_config(options.config) if options.config else Config()
    config = replace(config, model=replace(config.model, runtime=options.runtime or config.model.runtime))
    found = measure(config, options, lambda text: print(text, file=sys.stderr, flush=True))
    show(found)
    if options.plot:
        draw_growth(found, options.plot)
    if options.json:
        options.json.write_text(to_json(found))


if __name__ == "__main__":
    main()
