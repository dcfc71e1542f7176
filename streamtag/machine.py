"""What this machine and its packages are called."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["features", "processor", "processor_flags", "processor_seconds", "resident_bytes", "version_of"]

_FEATURES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI",
    "avx_vnni": "VNNI",
    "amx_int8": "AMX",
    "asimddp": "dot product",
}
"""What makes networks fast, by the system's name for it."""


def processor() -> str:
    """Return the processor's name, such as "AMD EPYC 7763 64-Core Processor"."""
    known = _cpuinfo()
    if not known:
        return platform.processor() or platform.machine()
    return next((value for name, value in known if name == "model name"), platform.machine())


def features() -> list[str]:
    """Return which of the processor's instructions for many numbers at once are there, such as AVX2 and AMX."""
    flags = processor_flags()
    return list(dict.fromkeys(name for flag, name in _FEATURES.items() if flag in flags))


def processor_flags() -> set[str]:
    """Return what the system says that the processor can do, by the system's names, such as "avx2"."""
    return {flag for name, value in _cpuinfo() if name in ("flags", "Features") for flag in value.split()}


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used so far, by all of its threads; 0 where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


def _cpuinfo() -> list[tuple[str, str]]:
    """What the system says of the processor, line by line; nothing where it does not say it in this way."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
    return [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
