"""No library speaks to its vendor: each is told so before anything can import it, and so are all processes we start."""

import os
import sys

__all__ = ["SWITCHES", "keep_libraries_quiet"]

SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime: read once, when it is imported
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",  # comes with Gradio
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray: read when a cluster starts
    "DO_NOT_TRACK": "1",  # whoever keeps to https://consoledonottrack.com
}
"""Environment variables by which libraries are told to send nothing and to keep nothing for sending."""


_ABSENT = ("openvino_telemetry",)
"""What a library speaks through, without a switch: where it cannot be imported the library goes without."""


def keep_libraries_quiet() -> None:
    """Set the variables for this process and those that it starts, and let nothing import what has no switch."""
    os.environ.update(SWITCHES)
    for name in _ABSENT:
        sys.modules[name] = None  # type: ignore[assignment]
