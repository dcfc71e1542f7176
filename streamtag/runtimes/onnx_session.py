"""Sessions of ONNX Runtime on the CPU, and what its errors say."""

from pathlib import Path
from typing import Final

import onnxruntime

__all__ = ["open_session", "reason_of"]

_MOST_REASON: Final = 300

onnxruntime.disable_telemetry_events()  # for programs that imported it before this package


def open_session(graph: bytes | Path, threads: int = 0) -> onnxruntime.InferenceSession:
    """Open a graph on the CPU.

    Args:
        graph: its file, or what stands in it.
        threads: how many threads one call may use; 0: one for each core.

    Raises:
        Exception: it is no graph that ONNX Runtime takes; its errors share no base class of their own.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised, and told by whoever asked
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A spinning pool keeps cores busy between batches: live audio leaves them idle most of the time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    content = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def reason_of(error: Exception) -> str:
    """Return what an error of ONNX Runtime says, on one line and not too long."""
    text = " ".join(str(error).split())
    return text if len(text) <= _MOST_REASON else text[: _MOST_REASON - 1] + "…"
