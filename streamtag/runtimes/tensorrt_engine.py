"""An engine at work: several lanes of copies and compute that overlap, one recorded graph for each padded batch."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorrt as trt
from numpy.typing import NDArray

from streamtag.errors import InputError, RuntimeUnavailableError
from streamtag.runtimes.cuda import MEMORY_REMEDY, DeviceMemory, Stream, is_pinned, pinned

__all__ = ["LOG", "Engine", "OtherGpuError", "started", "supported_version"]

LANES = 3
"""Copying in, computing and copying out at the same time takes three."""

_DTYPES = {"FLOAT": np.float32, "HALF": np.float16, "INT32": np.int32}

logger = logging.getLogger(__name__)


def supported_version() -> str:
    """Return TensorRT's version.

    Raises:
        RuntimeUnavailableError: it is none that this program knows.
    """
    version = str(trt.__version__)
    if version.startswith(("8.6.", "10.", "11.")):
        return version
    raise RuntimeUnavailableError(f"TensorRT {version} is not supported: install 10 or 11")


class OtherGpuError(RuntimeUnavailableError):
    """An engine was made for another GPU or another TensorRT, or is damaged: it has to be built again."""


class _Log(trt.ILogger):  # type: ignore[misc]
    """TensorRT's messages; the first error is the cause, later ones often are not."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.first_error = ""

    def log(self, severity: Any, message: str) -> None:
        """Take a message: TensorRT's interface."""
        if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
            self.first_error = self.first_error or message
        if severity != trt.ILogger.Severity.VERBOSE:
            logger.debug("TensorRT: %s", message)

    def take_error(self) -> str:
        """Return the first error since the last call, on one line."""
        error, self.first_error = self.first_error, ""
        line = " ".join(error.split()) or "TensorRT does not say why"
        return f"{line}: {MEMORY_REMEDY}" if self.of_memory(line) else line

    @staticmethod
    def of_memory(error: str) -> bool:
        """Tell whether an error's cause is that the GPU's memory is full."""
        return bool(re.search("out of memory|could not be allocated|OutOfMemory", error))


LOG = _Log()


def started(kind: Callable[[Any], Any]) -> Any:
    """Return TensorRT's `Builder` or `Runtime`.

    Raises:
        RuntimeUnavailableError: TensorRT cannot work here, for example with this driver.
    """
    LOG.take_error()
    try:
        return kind(LOG)
    except TypeError as error:  # what the bindings make of the library's null pointer
        raise RuntimeUnavailableError(f"TensorRT {trt.__version__} cannot start here: {LOG.take_error()}") from error


class Engine:
    """A compiled graph with one input, on the GPU.

    Attributes:
        input: the input's name.
        row: shape of one row of it.
        dtype: type of its elements.
        outputs: by name, the shape of one row.
        max_batch: the most rows that go through at once; `run` takes any number.
    """

    def __init__(self, plan: bytes) -> None:
        """Load an engine and take its memory.

        Raises:
            OtherGpuError: it was made for another GPU or TensorRT.
            RuntimeUnavailableError: the GPU's memory is full.
        """
        self._runtime = started(trt.Runtime)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            error = LOG.take_error()
            if LOG.of_memory(error):
                raise RuntimeUnavailableError(f"no room for the engine: {error}")
            raise OtherGpuError(f"not an engine for this GPU and this TensorRT: {error}")
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        mode = self._engine.get_tensor_mode
        self.input: str = next(name for name in names if mode(name) == trt.TensorIOMode.INPUT)
        self.row = tuple(self._engine.get_tensor_shape(self.input))[1:]
        self.dtype = np.dtype(_DTYPES[self._engine.get_tensor_dtype(self.input).name])
        self.outputs: dict[str, tuple[int, ...]] = {
            name: tuple(self._engine.get_tensor_shape(name))[1:]
            for name in names
            if mode(name) == trt.TensorIOMode.OUTPUT
        }
        self.max_batch = int(self._engine.get_tensor_profile_shape(self.input, 0)[2][0])
        self._lock = threading.Lock()
        layout = _Layout(self.input, self.row, self.dtype, self.outputs, self.max_batch)
        self._lanes = [_Lane(self._engine, layout) for _ in range(LANES)]

    def empty(self, rows: int) -> NDArray[Any]:
        """Return an input array in page-locked memory: `run` hands such to the GPU without a copy on the processor."""
        return pinned((rows, *self.row), self.dtype)

    def run(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Return the scores of any number of rows, as `outputs_of`."""
        (scores,) = self.outputs_of(rows, ("scores",))
        return scores

    def outputs_of(self, rows: NDArray[Any], names: Sequence[str]) -> list[NDArray[np.float32]]:
        """Send any number of rows through, and return these outputs of them; several threads may call.

        Args:
            rows: [n, *row] of the input's type.
            names: names of the outputs.

        Raises:
            InputError: the rows have another shape or type.
            RuntimeUnavailableError: the GPU failed.
        """
        if rows.shape[1:] != self.row or rows.dtype != self.dtype:
            expected = f"{self.dtype} [n, {', '.join(map(str, self.row))}]"
            raise InputError(f"the engine takes {self.input} as {expected}, not {rows.dtype} {list(rows.shape)}")
        results = {name: np.empty((len(rows), *self.outputs[name]), np.float32) for name in names}
        with self._lock:
            try:
                for index, first in enumerate(range(0, len(rows), self.max_batch)):
                    lane = self._lanes[index % len(self._lanes)]
                    lane.collect()
                    part = slice(first, first + self.max_batch)
                    lane.submit(rows[part], {name: result[part] for name, result in results.items()})
            finally:  # also when one fails: the GPU must be done with the rows before they are the caller's again
                for lane in self._lanes:
                    lane.collect()
        return list(results.values())

    def poison(self) -> None:
        """Fill every output buffer with NaN, so that a row that nothing wrote shows."""
        with self._lock:
            for lane in self._lanes:
                lane.poison()

    def parts(self, rows: int, repeats: int = 20) -> dict[str, float]:
        """Return the seconds that one batch takes to copy in, to compute and to copy out, each by itself."""
        with self._lock:
            return self._lanes[0].parts(rows, repeats)


@dataclass(frozen=True)
class _Layout:
    input: str
    row: tuple[int, ...]
    dtype: np.dtype[Any]
    outputs: dict[str, tuple[int, ...]]
    max_batch: int


class _Lane:
    """One stream with its buffers; it does one batch at a time."""

    def __init__(self, engine: Any, layout: _Layout) -> None:
        self._engine = engine
        self._layout = layout
        batch = layout.max_batch
        self._stream = Stream()
        self._staging = pinned((batch, *layout.row), layout.dtype)
        self._inputs = DeviceMemory(self._staging.nbytes)
        self._host = {name: pinned((batch, *row), np.float32) for name, row in layout.outputs.items()}
        self._outputs = {name: DeviceMemory(array.nbytes) for name, array in self._host.items()}
        self._scratch = DeviceMemory(_scratch_bytes(engine))
        self._steps: dict[int, Callable[[], None]] = {}
        self._pending: list[tuple[NDArray[Any], NDArray[np.float32]]] = []
        self._stream.clear(self._inputs)
        self._stream.wait()

    def submit(self, rows: NDArray[Any], results: dict[str, NDArray[np.float32]]) -> None:
        """Start a batch of at most `max_batch` rows; `collect` puts the outputs into `results`."""
        if not is_pinned(rows):
            staged = self._staging[: len(rows)]
            np.copyto(staged, rows)
            rows = staged
        step = self._step(self._padded(len(rows)))
        self._pending = [(self._host[name][: len(rows)], result) for name, result in results.items()]
        self._stream.to_device(self._inputs, rows)
        step()
        for name in results:
            self._stream.to_host(self._host[name][: len(rows)], self._outputs[name])

    def collect(self) -> None:
        """Wait for the batch under way, if there is one, and hand out its results."""
        if self._pending:
            pending, self._pending = self._pending, []
            self._stream.wait()
            for host, result in pending:
                np.copyto(result, host)

    def parts(self, rows: int, repeats: int) -> dict[str, float]:
        """Time copies and compute of one batch apart, in seconds."""
        step = self._step(self._padded(rows))
        works: dict[str, Callable[[], object]] = {
            "copy_in": lambda: self._stream.to_device(self._inputs, self._staging[:rows]),
            "compute": step,
            "copy_out": lambda: self._stream.to_host(self._host["scores"][:rows], self._outputs["scores"]),
        }
        seconds = {}
        for name, work in works.items():
            work()
            self._stream.wait()
            begin = time.perf_counter()
            for _ in range(repeats):
                work()
            self._stream.wait()
            seconds[name] = (time.perf_counter() - begin) / repeats
        return seconds

    def poison(self) -> None:
        """Fill the output buffers with NaN, on the GPU and on the host."""
        for name, array in self._host.items():
            array.fill(np.nan)
            self._stream.poison(self._outputs[name])
        self._stream.wait()

    def _padded(self, rows: int) -> int:
        return min(self._layout.max_batch, 1 << (rows - 1).bit_length())

    def _step(self, size: int) -> Callable[[], None]:
        """Return the function that runs a batch padded to `size`; what stands in the other rows does not matter."""
        if size not in self._steps:
            self._steps[size] = self._prepare(size)
        return self._steps[size]

    def _prepare(self, size: int) -> Callable[[], None]:
        # A recorded graph holds on to its context's state: each has a context of its own. They share their scratch
        # memory, since a lane runs one at a time.
        context = self._context()
        name = self._layout.input
        if not context.set_input_shape(name, (size, *self._layout.row)):
            raise RuntimeUnavailableError(f"the engine takes no batch of {size}: {LOG.take_error()}")
        for tensor, memory in ((name, self._inputs), *self._outputs.items()):
            if not context.set_tensor_address(tensor, memory.pointer):
                raise RuntimeUnavailableError(f"the engine refuses memory for {tensor}: {LOG.take_error()}")

        stream = self._stream

        def execute() -> None:
            if not context.execute_async_v3(int(stream)):
                raise RuntimeUnavailableError(f"the GPU failed at a batch of {size}: {LOG.take_error()}")

        execute()  # the first run takes memory, which must not happen while recording
        stream.wait()
        try:
            launch = stream.record(execute)
        except RuntimeUnavailableError as error:
            logger.warning("batches of %d are not recorded, which makes them slower: %s", size, error)
            return execute

        def step(keep: Any = context) -> None:  # the graph runs with what the context owns
            launch()

        return step

    def _context(self) -> Any:
        LOG.take_error()
        if hasattr(trt, "ExecutionContextAllocationStrategy"):
            context = self._engine.create_execution_context(trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        else:  # 8.6
            context = self._engine.create_execution_context_without_device_memory()
        if context is None:
            raise RuntimeUnavailableError(f"the GPU has no room for the engine: {LOG.take_error()}")
        # In 8.6 only the first context has the profile by itself.
        if not context.set_optimization_profile_async(0, int(self._stream)):
            raise RuntimeUnavailableError(f"the engine refuses another lane: {LOG.take_error()}")
        if hasattr(context, "set_device_memory"):
            context.set_device_memory(self._scratch.pointer, self._scratch.nbytes)
        else:  # up to 10.0
            context.device_memory = self._scratch.pointer
        return context


def _scratch_bytes(engine: Any) -> int:
    size: int | None = getattr(engine, "device_memory_size_v2", None)  # from 10.1 on, and alone from 11 on
    return engine.device_memory_size if size is None else size
