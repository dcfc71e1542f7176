"""A server of Triton's published gRPC contract (inference protocol 2, shared memory) that runs a bundle on the CPU."""

import mmap
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

from streamtag.audio import log_mel_windows
from streamtag.bundle import Bundle
from streamtag.runtimes import open_runtime
from tests.ports import free_port


class TritonServer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Answers as a Triton server does whose repository holds a bundle's waveform graph.

    Attributes:
        batches: sizes of the batches that were asked for.
        shared: how many of them lay in shared memory.
        asked: how many requests came, answered or not.
    """

    def __init__(self, bundle: Bundle, max_batch: int = 64) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.batches: list[int] = []
        self.shared = self.asked = 0
        self.labels = len(bundle.labels)
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.knows_memory = True
        self.regions: dict[str, mmap.mmap] = {}
        self._runtime = open_runtime(bundle, "onnxruntime")
        self._max_batch = max_batch
        self._width = self._runtime.embed(np.zeros((1, 96, 64), np.float32)).embeddings.shape[1]
        self._server: Any = None

    def start(self) -> "TritonServer":
        self.regions.clear()
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(self.address)
        self._server.start()
        return self

    def stop(self) -> None:
        self.goes_on.set()
        self._server.stop(0).wait()

    def ModelMetadata(self, request: Any, context: Any) -> Any:
        if request.name != "streamtag":
            context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{request.name}' is not found")
        tensor = service_pb2.ModelMetadataResponse.TensorMetadata
        return service_pb2.ModelMetadataResponse(
            name=request.name,
            inputs=[tensor(name="waveform", datatype="FP32", shape=[-1, 15600])],
            outputs=[
                tensor(name="scores", datatype="FP32", shape=[-1, self.labels]),
                tensor(name="embedding", datatype="FP32", shape=[-1, self._width]),
            ],
        )

    def ModelConfig(self, request: Any, context: Any) -> Any:
        config = model_config_pb2.ModelConfig(name=request.name, max_batch_size=self._max_batch)
        return service_pb2.ModelConfigResponse(config=config)

    def SystemSharedMemoryStatus(self, request: Any, context: Any) -> Any:
        status = service_pb2.SystemSharedMemoryStatusResponse()
        for name in self.regions:
            status.regions[name].name = name
        return status

    def SystemSharedMemoryRegister(self, request: Any, context: Any) -> Any:
        if not self.knows_memory:
            context.abort(grpc.StatusCode.INTERNAL, f"Unable to open shared memory region: '{request.key}'")
        file = os.open(Path("/dev/shm") / request.key.lstrip("/"), os.O_RDWR)
        self.regions[request.name] = mmap.mmap(file, request.byte_size)
        os.close(file)
        return service_pb2.SystemSharedMemoryRegisterResponse()

    def SystemSharedMemoryUnregister(self, request: Any, context: Any) -> Any:
        self.regions.pop(request.name, None)
        return service_pb2.SystemSharedMemoryUnregisterResponse()

    def ModelInfer(self, request: Any, context: Any) -> Any:
        self.asked += 1
        self.goes_on.wait(60)
        (given,) = request.inputs
        count = given.shape[0]
        if count > self._max_batch:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "batch-size must be <= max_batch_size")
        where = given.parameters["shared_memory_region"].string_param if given.parameters else ""
        if where and where not in self.regions:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Unable to find shared memory region: '{where}'")
        raw = self.regions[where] if where else request.raw_input_contents[0]
        windows = np.frombuffer(raw, np.float32, count * 15600).reshape(count, 15600).copy()
        self.batches.append(count)
        self.shared += bool(where)
        scores, embeddings = self._runtime.embed(log_mel_windows(windows))
        values = {"scores": np.zeros((count, self.labels), np.float32), "embedding": embeddings}
        values["scores"][:, : scores.shape[1]] = scores[:, : self.labels]
        response = service_pb2.ModelInferResponse(model_name=request.model_name)
        for asked in request.outputs:
            array = values[asked.name]
            response.outputs.add(name=asked.name, datatype="FP32", shape=array.shape)
            if asked.parameters:
                at = asked.parameters["shared_memory_offset"].int64_param
                self.regions[where][at : at + array.nbytes] = array.tobytes()
            else:
                response.raw_output_contents.append(array.tobytes())
        return response
