"""What this machine and its packages are called."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["processor", "resident_bytes", "version_of"]


def processor() -> str:
    """Return the processor's name, such as "AMD EPYC 7763 64-Core Processor"."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def resident_bytes() -> int:
    """Return how much of the machine's memory this process holds; 0 where that cannot be found out."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def version_of(package: str) -> str:
    """Return the version of an installed package, empty where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
