"""TensorRT on an NVIDIA GPU: engines are compiled at first use, tried against ONNX Runtime and kept in the cache."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from streamtag.errors import BundleError
from streamtag.runtimes import Embedded
from streamtag.runtimes.cuda import find_gpu
from streamtag.runtimes.parity import differences, require, trial_windows
from streamtag.runtimes.tensorrt_build import Progress, build_plan
from streamtag.runtimes.tensorrt_cache import (
    EngineKey,
    compiled_batches,
    engine_file,
    read_timings,
    store,
    timings_file,
)
from streamtag.runtimes.tensorrt_engine import Engine, OtherGpuError, supported_version

if TYPE_CHECKING:
    from streamtag.bundle import Bundle
    from streamtag.runtimes.parity import Accept

__all__ = ["KINDS", "MAX_BATCH", "PRECISIONS", "TensorRtModel", "engine_key", "graphs", "install", "open_model"]

PRECISIONS = ("float16", "float32", "int8")
"""The first that is compiled is used; when none is, the first that the bundle has."""
KINDS = ("waveform", "patches", "pcm")
"""Names of the graphs' inputs: samples float32, log-mel patches, samples as pairs of int16."""
MAX_BATCH = 1024
"""The largest batch of an engine that is built at first use."""

_in_use: WeakValueDictionary[EngineKey, Engine] = WeakValueDictionary()
_installing = threading.Lock()

logger = logging.getLogger(__name__)


def graphs(bundle: Bundle, precision: str) -> dict[str, str]:
    """Return the bundle's TensorRT graphs of a precision: by the input's name, the file.

    Raises:
        BundleError: it has none.
    """
    found = {
        next(iter(entry["inputs"])): file
        for file, entry in bundle.files.items()
        if file.startswith("tensorrt/") and entry.get("precision") == precision
    }
    if not found:
        raise bundle.lacks(f"{precision} graph for TensorRT")
    return {kind: found[kind] for kind in KINDS if kind in found}


def engine_key(bundle: Bundle, file: str, max_batch: int = MAX_BATCH) -> EngineKey:
    """Return what names the engine of one of the bundle's graphs here.

    Raises:
        RuntimeUnavailableError: there is no GPU, or this TensorRT is not supported.
    """
    entry = bundle.files[file]
    return EngineKey(entry["sha256"], entry["precision"], max_batch, supported_version(), find_gpu())


def install(
    bundle: Bundle, file: str, accept: Accept, *, max_batch: int = MAX_BATCH, progress: Progress | None = None
) -> Engine:
    """Compile one of the bundle's graphs and put it into the cache; where it is there already, load it.

    Whoever asks for an engine that is in use gets that one: it takes much memory, and several threads may use it.

    Args:
        bundle: the model.
        file: one of `graphs`.
        accept: tries a fresh engine; what it raises keeps the engine out of the cache.
        max_batch: the most rows that go through at once.
        progress: told how far the build is.

    Raises:
        RuntimeUnavailableError: the GPU or TensorRT cannot do it, or `accept` refused.
        BundleError: the bundle has no such file.
    """
    key = engine_key(bundle, file, max_batch)
    with _installing:
        engine = _in_use.get(key)
        if engine is None:
            engine = _load(key) or _build(key, bundle.read(file), file, accept, progress)
            _in_use[key] = engine
    return engine


def _load(key: EngineKey) -> Engine | None:
    kept = engine_file(key)
    try:
        return Engine(kept.read_bytes()) if kept.is_file() else None
    except (OSError, OtherGpuError) as error:
        logger.warning("%s is built again: %s", kept.name, error)
        return None


def _build(key: EngineKey, graph: bytes, file: str, accept: Accept, progress: Progress | None) -> Engine:
    logger.info("building %s for %s with TensorRT %s; this can take minutes, once", file, key.gpu.name, key.tensorrt)
    begin = time.monotonic()
    plan, timings = build_plan(graph, key.precision, key.max_batch, read_timings(key), progress)
    engine = Engine(plan)
    accept(engine)
    kept = engine_file(key)
    store(kept, plan)
    store(timings_file(key), timings)
    logger.info("built %s in %.0f s", kept.name, time.monotonic() - begin)
    return engine


class TensorRtModel:
    """A bundle's engines on the GPU, each opened when it is first needed.

    Attributes:
        device: the GPU's name.
        precision: of the network; the front end is float32 always.
    """

    name = "tensorrt"

    def __init__(self, bundle: Bundle, precision: str, max_batch: int) -> None:
        """Prepare a bundle's graphs of one precision.

        Raises:
            BundleError: it has none.
            RuntimeUnavailableError: there is no GPU.
        """
        self.precision = precision
        self.device = find_gpu().name
        self._bundle = bundle
        self._files = graphs(bundle, precision)
        self._max_batch = max_batch
        self._engines: dict[str, Engine] = {}

    def run(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score log-mel patches, float32 [n, 96, 64]; return float32 [n, labels] in [0, 1]."""
        return self.engine("patches").run(patches[:, np.newaxis])

    def embed(self, patches: NDArray[np.float32]) -> Embedded:
        """Return the scores and the embeddings of log-mel patches, float32 [n, 96, 64], in one call."""
        return Embedded(*self.engine("patches").outputs_of(patches[:, np.newaxis], ("scores", "embedding")))

    def run_windows(self, windows: NDArray[Any]) -> NDArray[np.float32]:
        """Score samples, float32 in [-1, 1] or int16, [n, 15600]; the log-mel is computed on the GPU."""
        return self._engine_for(windows).run(_rows(windows))

    def embed_windows(self, windows: NDArray[Any]) -> Embedded:
        """Return the scores and the embeddings of such samples, in one call."""
        return Embedded(*self._engine_for(windows).outputs_of(_rows(windows), ("scores", "embedding")))

    def _engine_for(self, windows: NDArray[Any]) -> Engine:
        return self.engine("pcm" if windows.dtype == np.int16 else "waveform")

    def engine(self, kind: str) -> Engine:
        """Return the engine whose input is `kind`; the first call loads or builds it.

        Raises:
            BundleError: the bundle has no such graph.
            RuntimeUnavailableError: it cannot be built here, or scores otherwise than ONNX Runtime.
        """
        if kind not in self._engines:
            if kind not in self._files:
                raise BundleError(f"bundle {self._bundle.path}: no {self.precision} graph for TensorRT takes {kind}")
            file = self._files[kind]
            self._engines[kind] = install(
                self._bundle, file, lambda engine: self._agrees(engine, kind), max_batch=self._max_batch
            )
        return self._engines[kind]

    def _agrees(self, engine: Engine, kind: str) -> None:
        from streamtag.audio.frontend import log_mel_windows
        from streamtag.runtimes.onnx import OnnxModel

        windows = trial_windows()
        offset = self._bundle.log_offset
        reference = OnnxModel(self._bundle, "model.onnx", 0).run(log_mel_windows(windows, log_offset=offset))
        require(self.precision, differences(engine, kind, windows, reference, offset), self._files[kind])


def _rows(windows: NDArray[Any]) -> NDArray[Any]:
    """Return windows as their engine takes them: two samples of int16 in an int32."""
    return np.ascontiguousarray(windows).view(np.int32) if windows.dtype == np.int16 else windows


def open_model(bundle: Bundle, threads: int, max_batch: int) -> TensorRtModel:
    """Open a bundle on the GPU, with the engine for live sound ready.

    `threads` means nothing there, and `max_batch` little: an engine takes any number of patches, in parts.
    """
    model = TensorRtModel(bundle, *_choose(bundle))
    model.engine("waveform")
    return model


def _choose(bundle: Bundle) -> tuple[str, int]:
    """Return the precision and the largest batch of the engines to use: those that are compiled, if any are."""
    there = []
    for precision in PRECISIONS:
        try:
            files = graphs(bundle, precision)
        except BundleError:
            continue
        compiled = set.intersection(*(compiled_batches(engine_key(bundle, file)) for file in files.values()))
        if compiled:
            return precision, max(compiled)
        there.append(precision)
    if not there:
        raise bundle.lacks("graph for TensorRT")
    return there[0], MAX_BATCH
