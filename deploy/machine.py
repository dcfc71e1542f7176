"""What a measurement was made on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from streamtag.errors import RuntimeUnavailableError
from streamtag.runtimes import load_runtime

_PACKAGES = ("streamtag", "numpy", "onnxruntime", "torch", "cuda-bindings")


def describe() -> dict[str, str]:
    """Return the machine, its GPU, the versions and the date, by name."""
    about = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "gpu": _gpu(),
        "cpu": f"{_processor()}, {os.cpu_count()} cores",
        "system": platform.platform(),
        "python": platform.python_version(),
    }
    for package in _PACKAGES:
        try:
            about[package] = version(package)
        except PackageNotFoundError:
            continue
    return about


def _gpu() -> str:
    try:
        tensorrt = load_runtime("tensorrt")
        gpu = tensorrt.find_gpu()
        return f"{gpu.name} (compute capability {gpu.capability}), TensorRT {tensorrt.supported_version()}"
    except RuntimeUnavailableError as error:
        return f"none used: {error}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
