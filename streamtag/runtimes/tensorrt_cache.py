"""Compiled engines in the user's cache, by what they depend on: model, precision, batch, TensorRT and GPU."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from streamtag.runtimes.cuda import Gpu

__all__ = ["EngineKey", "compiled_batches", "engine_file", "read_timings", "store", "timings_file"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineKey:
    """What an engine depends on.

    Attributes:
        graph_sha256: hash of the ONNX graph.
        precision: "float32", "float16" or "int8".
        max_batch: the most rows that go through at once.
        tensorrt: TensorRT's version.
        gpu: the GPU.
    """

    graph_sha256: str
    precision: str
    max_batch: int
    tensorrt: str
    gpu: Gpu

    def machine(self) -> str:
        """Return the part of the name that stands for TensorRT and GPU."""
        return re.sub(r"[^A-Za-z0-9.]+", "-", f"trt{self.tensorrt}-{self.gpu.name}-sm{self.gpu.capability}")


def engine_file(key: EngineKey) -> Path:
    """Return where the engine is kept, whether or not it is there."""
    return _folder() / f"{key.graph_sha256[:16]}-{key.precision}-{key.max_batch}-{key.machine()}.engine"


def compiled_batches(key: EngineKey) -> set[int]:
    """Return the largest batches of the engines that are there and differ from `key` in nothing else."""
    prefix, suffix = f"{key.graph_sha256[:16]}-{key.precision}-", f"-{key.machine()}.engine"
    found = (path.name[len(prefix) : -len(suffix)] for path in _folder().glob(f"{prefix}*{suffix}"))
    return {int(batch) for batch in found if batch.isdigit()}


def timings_file(key: EngineKey) -> Path:
    """Return where builds for this GPU and this TensorRT keep what they measured."""
    return _folder() / f"{key.machine()}.timings"


def read_timings(key: EngineKey) -> bytes:
    """Return what earlier builds measured; empty at the first."""
    try:
        return timings_file(key).read_bytes()
    except OSError:
        return b""


def store(path: Path, content: bytes) -> None:
    """Write a file as a whole; a cache that cannot be written costs another build at the next start, nothing else."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        logger.warning("%s cannot be written, so the engine is built again at the next start: %s", path, error)


def _folder() -> Path:
    from streamtag.folders import cache_folder

    return cache_folder() / "engines"
