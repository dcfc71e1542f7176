import os
import platform
from typing import Any

from streamtag.machine import processor, version_of

__all__ = ["describe_machine"]

_PACKAGES = ("streamtag", "numpy", "onnxruntime", "openvino", "pyzmq")


def describe_machine() -> dict[str, Any]:
    """Return what a figure means nothing without: processor, cores, memory, system and versions."""
    load = os.getloadavg()[0]
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "load_before": round(load, 2),  # what else the machine was doing
        "versions": {name: number for name in _PACKAGES if (number := version_of(name))},
    }
