"""The machine that a figure is of, and its cores."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from streamtag.machine import features, processor, version_of

__all__ = ["describe_machine", "first_cores", "held_to"]

_PACKAGES = ("streamtag", "numpy", "onnxruntime", "openvino", "pyzmq")


def describe_machine() -> dict[str, Any]:
    """Return what a figure means nothing without: processor, cores, memory, system and versions."""
    load = os.getloadavg()[0]
    return {
        "processor": processor(),
        "features": features(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "load_before": round(load, 2),  # what else the machine was doing
        "versions": {name: number for name in _PACKAGES if (number := version_of(name))},
    }


def first_cores(count: int) -> tuple[set[int], set[int]]:
    """Return so many of the cores that may be used, and the others, which may be none."""
    available = sorted(os.sched_getaffinity(0))
    return set(available[:count]), set(available[count:])


@contextmanager
def held_to(cores: set[int]) -> Iterator[None]:
    """Hold this thread, and what it starts, to these cores; to no others than now where there are none."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
