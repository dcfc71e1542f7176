"""A stand-in for `cuda.bindings.runtime`: memory is the host's, and a stream does nothing until it is waited for.

It is stricter than the real one: what would go unpunished there until the day it matters is an error here, and stays in
`misuse`. That is work on memory that is gone or too small, two streams at the same memory, memory freed under work that
waits, handles that are gone, and what must not be asked for while a graph is recorded.
"""

import ctypes
import enum
import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any


class Error(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorLaunchFailure = 719
    cudaErrorStreamCaptureUnsupported = 900
    cudaErrorStreamCaptureInvalidated = 901


class Kind(enum.IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class CaptureMode(enum.IntEnum):
    cudaStreamCaptureModeThreadLocal = 1


class Properties:
    name = b"Fake GPU\0\0"
    major = 9
    minor = 0


@dataclass(frozen=True)
class Work:
    """Something for a stream: what it does, and by address and size what it reads and writes."""

    do: Callable[[], object]
    reads: Sequence[tuple[int, int]] = ()
    writes: Sequence[tuple[int, int]] = ()


@dataclass
class Recording:
    works: list[Work]
    valid: bool = True


class FakeCuda(ModuleType):
    """The module, with counts of what was asked of it.

    Attributes:
        free_bytes: GPU memory that is left.
        queues: by stream, the work that waits.
        recordings: by stream, the graph that is being recorded.
        launches: graphs started.
        copied_from: addresses that were copied to the GPU.
        fails: from now on waiting ends with a failure of the GPU.
        misuse: what was asked for and must not be.
    """

    def __init__(self) -> None:
        super().__init__("cuda.bindings.runtime")
        self.cudaError_t = Error
        self.cudaMemcpyKind = Kind
        self.cudaStreamCaptureMode = CaptureMode
        self.cudaStreamNonBlocking = 1
        self.gpus = 1
        self.free_bytes = 1 << 34
        self.queues: dict[int, list[Work]] = {}
        self.recordings: dict[int, Recording] = {}
        self.graphs: dict[int, list[Work]] = {}
        self.launches = 0
        self.copied_from: list[int] = []
        self.fails = False
        self.misuse: list[str] = []
        self._host: dict[int, Any] = {}
        self._device: dict[int, Any] = {}
        self._handles = 0

    def wrong(self, what: str) -> None:
        self.misuse.append(what)

    def holds(self, pointer: int, size: int) -> bool:
        """Tell whether a stretch of memory lies in one block of the GPU's that is there."""
        return _inside(pointer, size, self._device)

    def enqueue(self, stream: int, work: Work) -> None:
        if stream in self.recordings:
            self.recordings[stream].works.append(work)
            return
        for other, queue in self.queues.items():
            for waiting in queue if other != stream else ():
                if _meet(work.writes, [*waiting.reads, *waiting.writes]) or _meet(work.reads, waiting.writes):
                    self.wrong("two streams work on the same memory at once")
        self.queues[stream].append(work)

    def forbid_recording(self, what: str) -> None:
        """Spoil every graph that is being recorded, as a call does that must not be made then."""
        for recording in self.recordings.values():
            recording.valid = False
            self.wrong(f"{what} while a graph is recorded")

    def _handle(self) -> int:
        self._handles += 1
        return self._handles

    def cudaGetErrorString(self, error: Error) -> tuple[Error, bytes]:
        return Error.cudaSuccess, error.name.encode()

    def cudaGetDeviceCount(self) -> tuple[Error, int | None]:
        return (Error.cudaSuccess, self.gpus) if self.gpus else (Error.cudaErrorInsufficientDriver, None)

    def cudaGetDeviceProperties(self, device: int) -> tuple[Error, Properties]:
        return Error.cudaSuccess, Properties()

    def cudaMalloc(self, size: int) -> tuple[Error, int | None]:
        self.forbid_recording("taking memory")
        if size > self.free_bytes:
            return Error.cudaErrorMemoryAllocation, None
        self.free_bytes -= size
        return Error.cudaSuccess, _block(size, self._device)

    def cudaMallocHost(self, size: int) -> tuple[Error, int]:
        self.forbid_recording("taking memory")
        return Error.cudaSuccess, _block(size, self._host)

    def _free(self, pointer: int, blocks: dict[int, Any]) -> int:
        self.forbid_recording("freeing memory")
        block = blocks.pop(pointer, None)
        if block is None:
            self.wrong("memory is freed that is none")
            return 0
        freed = [(pointer, len(block))]
        if any(_meet(freed, [*work.reads, *work.writes]) for queue in self.queues.values() for work in queue):
            self.wrong("memory is freed under work that waits")
        return len(block)

    def cudaFree(self, pointer: int) -> tuple[Error]:
        self.free_bytes += self._free(pointer, self._device)
        return (Error.cudaSuccess,)

    def cudaFreeHost(self, pointer: int) -> tuple[Error]:
        self._free(pointer, self._host)
        return (Error.cudaSuccess,)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Error, int]:
        if flags != self.cudaStreamNonBlocking:
            self.wrong("a stream that waits for the default one")
        stream = self._handle()
        self.queues[stream] = []
        return Error.cudaSuccess, stream

    def cudaStreamDestroy(self, stream: int) -> tuple[Error]:
        if self.queues.pop(stream):
            self.wrong("a stream goes while work waits in it")
        return (Error.cudaSuccess,)

    def cudaStreamSynchronize(self, stream: int) -> tuple[Error]:
        if stream in self.recordings:
            self.forbid_recording("waiting")
            return (Error.cudaErrorStreamCaptureUnsupported,)
        if self.fails:  # no stream does anything any more
            self.queues = {each: [] for each in self.queues}
            return (Error.cudaErrorLaunchFailure,)
        works, self.queues[stream] = self.queues[stream], []
        for work in works:
            blocks = self._device | self._host
            if all(_inside(pointer, size, blocks) for pointer, size in [*work.reads, *work.writes]):
                work.do()
            else:
                self.wrong("work on memory that is gone or too small")
        return (Error.cudaSuccess,)

    def cudaMemcpyAsync(self, to: int, source: int, size: int, kind: Kind, stream: int) -> tuple[Error]:
        into = kind == Kind.cudaMemcpyHostToDevice
        host, device = (source, to) if into else (to, source)
        if not self.holds(device, size) or self.holds(host, size):
            return (Error.cudaErrorInvalidValue,)
        if not _inside(host, size, self._host):
            self.wrong("memory of the host that is not page-locked")
        if into:
            self.copied_from.append(source)
        self.enqueue(stream, Work(lambda: ctypes.memmove(to, source, size), [(source, size)], [(to, size)]))
        return (Error.cudaSuccess,)

    def cudaMemsetAsync(self, pointer: int, value: int, size: int, stream: int) -> tuple[Error]:
        self.enqueue(stream, Work(lambda: ctypes.memset(pointer, value, size), writes=[(pointer, size)]))
        return (Error.cudaSuccess,)

    def cudaStreamBeginCapture(self, stream: int, mode: CaptureMode) -> tuple[Error]:
        if self.queues[stream]:
            self.wrong("work waits where a graph begins to be recorded")
        self.recordings[stream] = Recording([])
        return (Error.cudaSuccess,)

    def cudaStreamEndCapture(self, stream: int) -> tuple[Error, int | None]:
        recording = self.recordings.pop(stream)
        if not recording.valid:
            return Error.cudaErrorStreamCaptureInvalidated, None
        graph = self._handle()
        self.graphs[graph] = recording.works
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


def _block(size: int, blocks: dict[int, Any]) -> int:
    # Most of what is taken is for the largest batch, and stays untouched: this costs nothing until it is.
    block = (ctypes.c_char * size).from_buffer(mmap.mmap(-1, max(size, 1)))
    ctypes.memset(block, 0xAA, min(size, 1 << 20))  # fresh memory holds anything
    blocks[ctypes.addressof(block)] = block
    return ctypes.addressof(block)


def _inside(pointer: int, size: int, blocks: dict[int, Any]) -> bool:
    return any(begin <= pointer and pointer + size <= begin + len(block) for begin, block in blocks.items())


def _meet(some: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> bool:
    return any(a < b + long and b < a + size for a, size in some for b, long in others)
