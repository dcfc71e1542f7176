"""What a measurement was made on."""

import os
import platform
from datetime import UTC, datetime

from streamtag.errors import RuntimeUnavailableError
from streamtag.machine import processor, version_of
from streamtag.runtimes import load_runtime

_PACKAGES = ("streamtag", "numpy", "onnxruntime", "torch", "cuda-bindings")


def describe() -> dict[str, str]:
    """Return the machine, its GPU, the versions and the date, by name."""
    about = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "gpu": _gpu(),
        "cpu": f"{processor()}, {os.cpu_count()} cores",
        "system": platform.platform(),
        "python": platform.python_version(),
    }
    return about | {package: number for package in _PACKAGES if (number := version_of(package))}


def _gpu() -> str:
    try:
        tensorrt = load_runtime("tensorrt")
        gpu = tensorrt.find_gpu()
        return f"{gpu.name} (compute capability {gpu.capability}), TensorRT {tensorrt.supported_version()}"
    except RuntimeUnavailableError as error:
        return f"none used: {error}"
