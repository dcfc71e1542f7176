"""All of a run's measures in order."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streamtag.benchmark.live_streams import LARGE_BLOCK, SHORT_BLOCK, LiveStreams, measure_live
from streamtag.benchmark.machine import describe_machine
from streamtag.benchmark.overhead import Overhead, measure_overhead
from streamtag.benchmark.stages import Stage, measure_stages
from streamtag.benchmark.throughput import Throughput, measure_throughput
from streamtag.settings import Config

__all__ = ["Report", "measure"]

_ONE_CORE_SECONDS = 5.0
_OVERHEAD_STREAMS = 1000
_SMALL_BLOCKS_UP_TO = 50


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured."""

    machine: dict[str, Any]
    model: dict[str, str]
    stages: list[Stage]
    overhead: Overhead
    one_core: Throughput
    live: LiveStreams


def measure(config: Config, streams: int, seconds: float, progress: Callable[[str], None]) -> Report:
    """Measure the stages, what a patch costs beside the model, the whole path on one core, and live streams.

    Args:
        config: whose model and scores are used.
        streams: how many live ones.
        seconds: how long they last.
        progress: is told what is being done.

    Raises:
        StreamtagError: the bundle or the runtime cannot be used, or the service does not start.
    """
    machine = describe_machine()
    progress("measuring the stages")
    stages = measure_stages(config)
    progress(f"measuring what a patch costs beside the model, with {_OVERHEAD_STREAMS} streams")
    overhead = measure_overhead(config, _OVERHEAD_STREAMS)
    progress("measuring the whole path on one core")
    one_core = measure_throughput(config, min(seconds, _ONE_CORE_SECONDS))
    progress(f"measuring {streams} live {'stream' if streams == 1 else 'streams'}")
    block = SHORT_BLOCK if streams <= _SMALL_BLOCKS_UP_TO else LARGE_BLOCK
    live = measure_live(config, streams, seconds, block)
    model = {"bundle": config.model.bundle, "runtime": config.model.runtime}
    return Report(machine, model, stages, overhead, one_core, live)
