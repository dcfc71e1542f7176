"""A stand-in for `cuda.bindings.runtime`: memory is the host's, and a stream does nothing until it is waited for."""

import ctypes
import enum
from collections.abc import Callable
from types import ModuleType
from typing import Any


class Error(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorLaunchFailure = 719


class Kind(enum.IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class CaptureMode(enum.IntEnum):
    cudaStreamCaptureModeThreadLocal = 1


class Properties:
    name = b"Fake GPU\0\0"
    major = 9
    minor = 0


class FakeCuda(ModuleType):
    """The module, with counts of what was asked of it.

    Attributes:
        free_bytes: GPU memory that is left.
        queues: by stream, the work that waits.
        recordings: by stream, the work of the graph that is being recorded.
        launches: graphs started.
        host_copies: bytes copied to the GPU, by address.
    """

    def __init__(self) -> None:
        super().__init__("cuda.bindings.runtime")
        self.cudaError_t = Error
        self.cudaMemcpyKind = Kind
        self.cudaStreamCaptureMode = CaptureMode
        self.cudaStreamNonBlocking = 1
        self.gpus = 1
        self.free_bytes = 1 << 34
        self.queues: dict[int, list[Callable[[], object]]] = {}
        self.recordings: dict[int, list[Callable[[], object]]] = {}
        self.graphs: dict[int, list[Callable[[], object]]] = {}
        self.launches = 0
        self.copied_from: list[int] = []
        self._blocks: dict[int, Any] = {}
        self._handles = 0

    def _handle(self) -> int:
        self._handles += 1
        return self._handles

    def enqueue(self, stream: int, work: Callable[[], object]) -> None:
        self.recordings.get(stream, self.queues[stream]).append(work)

    def cudaGetErrorString(self, error: Error) -> tuple[Error, bytes]:
        return Error.cudaSuccess, error.name.encode()

    def cudaGetDeviceCount(self) -> tuple[Error, int | None]:
        return (Error.cudaSuccess, self.gpus) if self.gpus else (Error.cudaErrorInsufficientDriver, None)

    def cudaGetDeviceProperties(self, device: int) -> tuple[Error, Properties]:
        return Error.cudaSuccess, Properties()

    def cudaMalloc(self, size: int) -> tuple[Error, int | None]:
        if size > self.free_bytes:
            return Error.cudaErrorMemoryAllocation, None
        self.free_bytes -= size
        return self.cudaMallocHost(size)

    def cudaMallocHost(self, size: int) -> tuple[Error, int]:
        block = ctypes.create_string_buffer(b"\xaa" * size, size)  # fresh memory holds anything
        self._blocks[ctypes.addressof(block)] = block
        return Error.cudaSuccess, ctypes.addressof(block)

    def cudaFree(self, pointer: int) -> tuple[Error]:
        self.free_bytes += len(self._blocks.pop(pointer))
        return (Error.cudaSuccess,)

    def cudaFreeHost(self, pointer: int) -> tuple[Error]:
        del self._blocks[pointer]
        return (Error.cudaSuccess,)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Error, int]:
        stream = self._handle()
        self.queues[stream] = []
        return Error.cudaSuccess, stream

    def cudaStreamDestroy(self, stream: int) -> tuple[Error]:
        del self.queues[stream]
        return (Error.cudaSuccess,)

    def cudaStreamSynchronize(self, stream: int) -> tuple[Error]:
        assert stream not in self.recordings, "waiting is not allowed while a graph is recorded"
        for work in self.queues[stream]:
            work()
        self.queues[stream].clear()
        return (Error.cudaSuccess,)

    def cudaMemcpyAsync(self, to: int, source: int, size: int, kind: Kind, stream: int) -> tuple[Error]:
        device = to if kind == Kind.cudaMemcpyHostToDevice else source
        assert size <= len(self._blocks[device]), "beyond the end of GPU memory"
        if kind == Kind.cudaMemcpyHostToDevice:
            self.copied_from.append(source)
        self.enqueue(stream, lambda: ctypes.memmove(to, source, size))
        return (Error.cudaSuccess,)

    def cudaMemsetAsync(self, pointer: int, value: int, size: int, stream: int) -> tuple[Error]:
        self.enqueue(stream, lambda: ctypes.memset(pointer, value, size))
        return (Error.cudaSuccess,)

    def cudaStreamBeginCapture(self, stream: int, mode: CaptureMode) -> tuple[Error]:
        self.recordings[stream] = []
        return (Error.cudaSuccess,)

    def cudaStreamEndCapture(self, stream: int) -> tuple[Error, int]:
        graph = self._handle()
        self.graphs[graph] = self.recordings.pop(stream)
        return Error.cudaSuccess, graph

    def cudaGraphInstantiate(self, graph: int, flags: int) -> tuple[Error, int]:
        executable = self._handle()
        self.graphs[executable] = self.graphs[graph]
        return Error.cudaSuccess, executable

    def cudaGraphLaunch(self, executable: int, stream: int) -> tuple[Error]:
        self.launches += 1
        for work in self.graphs[executable]:
            self.enqueue(stream, work)
        return (Error.cudaSuccess,)

    def cudaGraphDestroy(self, graph: int) -> tuple[Error]:
        del self.graphs[graph]
        return (Error.cudaSuccess,)

    def cudaGraphExecDestroy(self, executable: int) -> tuple[Error]:
        del self.graphs[executable]
        return (Error.cudaSuccess,)
