"""The stand-ins find what a real GPU would let pass until the day it matters."""

from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from streamtag.bundle import Bundle
from tests.runtimes.fake_cuda import CaptureMode, Error, FakeCuda, Kind
from tests.runtimes.fake_tensorrt import FakeTensorRt, ILogger, Strategy

HOST, BYTES = Kind.cudaMemcpyHostToDevice, 1024


class Log(ILogger):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def log(self, severity: IntEnum, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def lane(cuda: FakeCuda, small: Bundle) -> SimpleNamespace:
    """A context of an engine for batches of 1 to 4, all set to run with one row, and a stream."""
    trt, log = FakeTensorRt(cuda), Log()
    builder = trt.Builder(log)
    network, config = builder.create_network(2), builder.create_builder_config()
    trt.OnnxParser(network, log).parse(small.read("tensorrt/patches.float32.onnx"))
    config.add_optimization_profile({"patches": tuple((batch, 1, 96, 64) for batch in (1, 2, 4))})
    timings = config.create_timing_cache(b"")
    assert timings is not None
    config.set_timing_cache(timings, ignore_mismatch=False)
    plan = builder.build_serialized_network(network, config)
    assert plan is not None
    engine = trt.Runtime(log).deserialize_cuda_engine(plan)
    assert engine is not None
    memory = {name: cuda.cudaMalloc(4 * 96 * 64 * 4)[1] for name in engine.tensors}
    lane = SimpleNamespace(engine=engine, memory=memory, said=log.said, stream=_stream(cuda))
    lane.scratch = cuda.cudaMalloc(BYTES)[1]
    lane.context = _context(lane)
    return lane


def _stream(cuda: FakeCuda) -> int:
    return cuda.cudaStreamCreateWithFlags(cuda.cudaStreamNonBlocking)[1]


def _context(lane: Any) -> Any:
    context = lane.engine.create_execution_context(Strategy.USER_MANAGED)
    context.set_device_memory(lane.scratch, BYTES)
    context.set_input_shape("patches", (1, 1, 96, 64))
    for name, pointer in lane.memory.items():
        assert context.set_tensor_address(name, pointer)
    return context


def test_right_use_is_no_misuse(cuda: FakeCuda, lane: SimpleNamespace) -> None:
    assert lane.context.execute_async_v3(lane.stream)
    cuda.cudaStreamSynchronize(lane.stream)
    cuda.cudaStreamBeginCapture(lane.stream, CaptureMode.cudaStreamCaptureModeThreadLocal)
    assert lane.context.execute_async_v3(lane.stream)
    error, graph = cuda.cudaStreamEndCapture(lane.stream)
    assert error == Error.cudaSuccess
    assert graph is not None
    cuda.cudaGraphLaunch(cuda.cudaGraphInstantiate(graph, 0)[1], lane.stream)
    cuda.cudaStreamSynchronize(lane.stream)
    assert cuda.misuse == []


@pytest.mark.parametrize("lacking", ["memory", "shape", "address"])
def test_an_engine_does_not_run_before_everything_is_set(lane: SimpleNamespace, lacking: str) -> None:
    context = lane.engine.create_execution_context(Strategy.USER_MANAGED)
    if lacking != "memory":
        context.set_device_memory(lane.scratch, BYTES)
    if lacking != "shape":
        context.set_input_shape("patches", (1, 1, 96, 64))
    for name, pointer in lane.memory.items():
        if lacking != "address" or name != "embedding":
            context.set_tensor_address(name, pointer)
    assert not context.execute_async_v3(lane.stream)
    assert lane.said == ["memory, shape or addresses were not set"]


def test_an_engine_is_not_recorded_before_its_first_run(cuda: FakeCuda, lane: SimpleNamespace) -> None:
    cuda.cudaStreamBeginCapture(lane.stream, CaptureMode.cudaStreamCaptureModeThreadLocal)
    lane.context.execute_async_v3(lane.stream)
    assert cuda.cudaStreamEndCapture(lane.stream) == (Error.cudaErrorStreamCaptureInvalidated, None)
    assert cuda.misuse == ["the first run of a shape while a graph is recorded"]


def test_nothing_is_waited_for_and_no_memory_taken_while_a_graph_is_recorded(
    cuda: FakeCuda, lane: SimpleNamespace
) -> None:
    cuda.cudaStreamBeginCapture(lane.stream, CaptureMode.cudaStreamCaptureModeThreadLocal)
    cuda.cudaMalloc(1)
    cuda.cudaStreamSynchronize(lane.stream)
    assert [what.split(" while")[0] for what in cuda.misuse] == ["taking memory", "waiting"]


def test_two_streams_do_not_share_scratch_memory_or_buffers(cuda: FakeCuda, lane: SimpleNamespace) -> None:
    lane.context.execute_async_v3(lane.stream)
    _context(lane).execute_async_v3(_stream(cuda))
    assert set(cuda.misuse) == {"two streams work on the same memory at once"}


def test_memory_is_not_freed_under_work_that_waits(cuda: FakeCuda, lane: SimpleNamespace) -> None:
    lane.context.execute_async_v3(lane.stream)
    cuda.cudaFree(lane.memory["scores"])
    cuda.cudaStreamSynchronize(lane.stream)
    assert cuda.misuse == ["memory is freed under work that waits", "work on memory that is gone or too small"]


def test_outputs_are_not_there_before_the_stream_was_waited_for(cuda: FakeCuda, lane: SimpleNamespace) -> None:
    pointer = cuda.cudaMallocHost(BYTES)[1]
    lane.context.execute_async_v3(lane.stream)
    cuda.cudaMemcpyAsync(pointer, lane.memory["scores"], 16, Kind.cudaMemcpyDeviceToHost, lane.stream)
    host = cuda._host[pointer]
    assert bytes(host[:16]) == b"\xaa" * 16
    cuda.cudaStreamSynchronize(lane.stream)
    assert (np.frombuffer(host, np.float32, 4) > 0).all()


def test_a_recorded_graph_does_not_outlive_its_context(cuda: FakeCuda, lane: SimpleNamespace) -> None:
    lane.context.execute_async_v3(lane.stream)
    lane.context = None
    cuda.cudaStreamSynchronize(lane.stream)
    assert cuda.misuse == ["a graph runs without its execution context"]


def test_a_copy_goes_between_page_locked_memory_and_the_gpu(cuda: FakeCuda, lane: SimpleNamespace) -> None:
    array = np.zeros(4, np.float32)
    cuda.cudaMemcpyAsync(lane.memory["patches"], array.ctypes.data, array.nbytes, HOST, lane.stream)
    assert cuda.misuse == ["memory of the host that is not page-locked"]
    beyond = 1 << 20
    error = cuda.cudaMemcpyAsync(lane.memory["patches"], cuda.cudaMallocHost(beyond)[1], beyond, HOST, lane.stream)
    assert error == (Error.cudaErrorInvalidValue,)


def test_contexts_of_8_6_do_not_share_a_profile_unless_the_engine_was_built_so(
    cuda: FakeCuda, lane: SimpleNamespace
) -> None:
    lane.engine.shared = False
    second = lane.engine.create_execution_context(Strategy.USER_MANAGED)
    assert not second.set_input_shape("patches", (1, 1, 96, 64))
    assert not second.set_optimization_profile_async(0, lane.stream)
