"""Speed on this machine: each stage alone, the whole path on one core, and live streams through a real service."""

from streamtag.benchmark.live import Live, measure_live
from streamtag.benchmark.machine import describe_machine
from streamtag.benchmark.stages import Stage, measure_stages
from streamtag.benchmark.throughput import Throughput, measure_throughput

__all__ = [
    "Live",
    "Stage",
    "Throughput",
    "describe_machine",
    "measure_live",
    "measure_stages",
    "measure_throughput",
]
