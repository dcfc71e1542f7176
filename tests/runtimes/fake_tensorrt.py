"""A stand-in for TensorRT's bindings, versions 8.6, 10 and 11: an engine is its ONNX graph, run by ONNX Runtime."""

import ctypes
import enum
import json
import weakref
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime

from tests.runtimes.fake_cuda import FakeCuda, Work


class Severity(enum.IntEnum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2
    INFO = 3
    VERBOSE = 4


class ILogger:
    Severity = Severity

    def __init__(self) -> None:
        self.ready = True

    def log(self, severity: enum.IntEnum, message: str) -> None:
        raise NotImplementedError


class TensorIOMode(enum.Enum):
    INPUT = 1
    OUTPUT = 2


DataType = enum.Enum("DataType", ["FLOAT", "HALF", "INT32", "INT8"])
BuilderFlag = enum.IntEnum("BuilderFlag", ["TF32", "FP16", "INT8", "PREFER_PRECISION_CONSTRAINTS"])
LayerType = enum.Enum("LayerType", ["CONSTANT", "SHAPE", "CAST", "CONVOLUTION"])
TacticSource = enum.IntEnum("TacticSource", {"CUBLAS": 0, "CUBLAS_LT": 1, "CUDNN": 2, "JIT_CONVOLUTIONS": 4})
PreviewFeature = enum.IntEnum("PreviewFeature", ["PROFILE_SHARING_0806"])
MemoryPoolType = enum.Enum("MemoryPoolType", ["WORKSPACE"])
Strategy = enum.Enum("Strategy", ["STATIC", "USER_MANAGED"])

_TYPES = {"tensor(float)": DataType.FLOAT, "tensor(int32)": DataType.INT32}


def _session(graph: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


class FakeTensorRt(ModuleType):
    """The module.

    Attributes:
        gpu: the GPU for which engines are built and loaded.
        builds: what was built: precision flags, profile and whether a timing cache was given.
        refuses: what the parser says of every graph; empty if it takes them.
        wrong_by: what the engines add to every score.
        forgets_rows: the engines leave that many of their last rows unwritten.
        records: whether the engines can be recorded.
        refuses_timings: a build fails that is given what another one measured.
        broken: what the library says of why it cannot start; empty if it can.
    """

    def __init__(self, cuda: FakeCuda, version: str = "11.4.0.106") -> None:
        super().__init__("tensorrt")
        self.__version__ = version
        self.cuda = cuda
        self.gpu = "Fake GPU"
        self.builds: list[SimpleNamespace] = []
        self.refuses = ""
        self.wrong_by = 0.0
        self.forgets_rows = 0
        self.records = True
        self.refuses_timings = False
        self.broken = ""
        self.ILogger = ILogger
        self.TensorIOMode = TensorIOMode
        self.DataType = DataType
        self.BuilderFlag = BuilderFlag
        self.LayerType = LayerType
        self.TacticSource = TacticSource
        self.MemoryPoolType = MemoryPoolType
        flags = {"EXPLICIT_BATCH": 0} if version.startswith("8.") else {"STRONGLY_TYPED": 1}
        self.NetworkDefinitionCreationFlag: Any = enum.IntEnum("NetworkDefinitionCreationFlag", flags)  # type: ignore[misc]
        if version.startswith("8."):
            self.PreviewFeature = PreviewFeature
        else:
            self.ExecutionContextAllocationStrategy = Strategy
            self.IProgressMonitor = type("IProgressMonitor", (), {"__init__": lambda self: None})

    @property
    def measured(self) -> bytes:
        """What a build leaves in the timing cache."""
        return f"measured on {self.gpu}".encode()

    def start(self, log: ILogger) -> None:
        """Fail as the bindings do when the library gives them a null pointer."""
        assert log.ready
        if self.broken:
            log.log(Severity.ERROR, self.broken)
            raise TypeError("pybind11::init(): factory function returned nullptr")

    def Builder(self, log: ILogger) -> "Builder":
        self.start(log)
        return Builder(self, log)

    def OnnxParser(self, network: "Network", log: ILogger) -> "Parser":
        return Parser(self, network)

    def Runtime(self, log: ILogger) -> "Runtime":
        self.start(log)
        return Runtime(self, log)


class Layer:
    num_outputs = 1

    def __init__(self, kind: LayerType, dtype: DataType) -> None:
        self.type, self._dtype = kind, dtype
        self.precision: DataType | None = None
        self.output_types: dict[int, DataType] = {}

    def get_output(self, index: int) -> SimpleNamespace:
        return SimpleNamespace(dtype=self._dtype)

    def set_output_type(self, index: int, dtype: DataType) -> None:
        self.output_types[index] = dtype


class Network:
    def __init__(self, flags: int) -> None:
        self.flags = flags
        self.graph = b""
        self.layers = [
            Layer(kind, dtype)
            for kind in (LayerType.CONSTANT, LayerType.CAST, LayerType.CONVOLUTION)
            for dtype in (DataType.FLOAT, DataType.HALF)
        ]

    @property
    def num_layers(self) -> int:
        return len(self.layers)

    def get_layer(self, index: int) -> Layer:
        return self.layers[index]

    def get_input(self, index: int) -> SimpleNamespace:
        (tensor,) = _session(self.graph).get_inputs()
        return SimpleNamespace(name=tensor.name, shape=(-1, *tensor.shape[1:]))


class Parser:
    def __init__(self, trt: FakeTensorRt, network: Network) -> None:
        self._trt, self._network = trt, network

    @property
    def num_errors(self) -> int:
        return bool(self._trt.refuses)

    def parse(self, graph: bytes) -> bool:
        self._network.graph = graph
        return not self._trt.refuses

    def get_error(self, index: int) -> SimpleNamespace:
        return SimpleNamespace(desc=lambda: self._trt.refuses)


class Timings:
    """A timing cache; it says of which GPU it is."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> bytes:
        return self.content


class Config:
    def __init__(self, trt: FakeTensorRt) -> None:
        self._trt = trt
        self.flags = {BuilderFlag.TF32}
        self.preview: set[PreviewFeature] = set()
        self.sources = 0b10111
        self.profile: dict[str, tuple[tuple[int, ...], ...]] = {}
        self.timings: Timings | None = None
        self.progress_monitor: Any = None

    def set_preview_feature(self, feature: Any, enable: bool) -> None:
        assert enable
        self.preview.add(feature)

    def set_memory_pool_limit(self, pool: MemoryPoolType, size: int) -> None:
        assert size > 0

    def set_flag(self, flag: Any) -> None:
        self.flags.add(flag)

    def clear_flag(self, flag: Any) -> None:
        self.flags.discard(flag)

    def get_tactic_sources(self) -> int:
        return self.sources

    def set_tactic_sources(self, sources: int) -> None:
        self.sources = sources

    def add_optimization_profile(self, profile: dict[str, tuple[tuple[int, ...], ...]]) -> int:
        self.profile = profile
        return 0

    def create_timing_cache(self, content: bytes) -> Timings | None:
        return Timings(content) if content.startswith(b"measured on ") or not content else None

    def set_timing_cache(self, cache: Timings, ignore_mismatch: bool) -> bool:
        if cache is None:
            raise TypeError("incompatible function arguments")
        if cache.content not in (b"", self._trt.measured):
            return False
        self.timings = cache
        return True


class Profile(dict[str, tuple[tuple[int, ...], ...]]):
    def set_shape(self, name: str, *shapes: tuple[int, ...]) -> None:
        self[name] = shapes


class Builder:
    def __init__(self, trt: FakeTensorRt, log: ILogger) -> None:
        assert log.ready
        self._trt, self._log = trt, log

    def create_network(self, flags: int) -> Network:
        return Network(flags)

    def create_builder_config(self) -> Config:
        return Config(self._trt)

    def create_optimization_profile(self) -> Profile:
        return Profile()

    def build_serialized_network(self, network: Network, config: Config) -> bytes | None:
        (shapes,) = config.profile.values()
        if self._trt.cuda.free_bytes < 1 << 20:
            self._log.log(Severity.ERROR, "Requested amount of GPU memory\n(1048576 bytes) could not be allocated.")
            self._log.log(Severity.ERROR, "a later error")
            return None
        if config.progress_monitor is not None:
            config.progress_monitor.phase_start("Building", None, 2)
            assert config.progress_monitor.step_complete("Building", 0)
            assert config.progress_monitor.step_complete("Building", 1)
            config.progress_monitor.phase_finish("Building")
        assert config.timings is not None
        if self._trt.refuses_timings and config.timings.content:
            self._log.log(Severity.ERROR, "Myelin error from unknown graph")
            return None
        self._trt.builds.append(
            SimpleNamespace(config=config, network=network, shapes=shapes, timings=config.timings.content)
        )
        config.timings.content = self._trt.measured
        shared = bool(config.preview) or not self._trt.__version__.startswith("8.")
        about = {"gpu": self._trt.gpu, "version": self._trt.__version__, "shapes": shapes, "shared": shared}
        return json.dumps(about).encode() + b"\n" + network.graph


class Runtime:
    def __init__(self, trt: FakeTensorRt, log: ILogger) -> None:
        self._trt, self._log = trt, log

    def deserialize_cuda_engine(self, plan: bytes) -> "FakeEngine | None":
        head, _, graph = plan.partition(b"\n")
        if self._trt.cuda.free_bytes < 1 << 20:
            self._log.log(Severity.ERROR, "[defaultAllocator.cpp::allocate::31] Cuda Runtime (out of memory)")
            return None
        about = json.loads(head)
        if (about["gpu"], about["version"]) != (self._trt.gpu, self._trt.__version__):
            self._log.log(Severity.ERROR, f"The engine plan file is generated for {about['gpu']}\nnot this device.")
            return None
        return FakeEngine(self._trt, self._log, graph, about["shapes"], shared=about["shared"])


class FakeEngine:
    SCRATCH = 1000

    def __init__(self, trt: FakeTensorRt, log: ILogger, graph: bytes, shapes: list[list[int]], *, shared: bool) -> None:
        self.trt, self.log, self.shared = trt, log, shared
        self.session = _session(graph)
        self.contexts: weakref.WeakSet[Context] = weakref.WeakSet()
        self.shapes = shapes
        self.tensors = {node.name: node for node in [*self.session.get_inputs(), *self.session.get_outputs()]}
        self.inputs = [node.name for node in self.session.get_inputs()]
        self.num_io_tensors = len(self.tensors)
        if not trt.__version__.startswith("11."):
            self.device_memory_size = self.SCRATCH
        if not trt.__version__.startswith(("8.", "10.0.")):
            self.device_memory_size_v2 = self.SCRATCH

    def get_tensor_name(self, index: int) -> str:
        names: list[str] = list(self.tensors)
        return names[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in self.inputs else TensorIOMode.OUTPUT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, *self.tensors[name].shape[1:])

    def get_tensor_dtype(self, name: str) -> DataType:
        return _TYPES[self.tensors[name].type]

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[list[int]]:
        assert profile == 0
        return self.shapes

    def __getattr__(self, name: str) -> Any:
        version = self.trt.__version__
        if name == "create_execution_context" and not version.startswith("8."):
            kind = Context if version.startswith("10.0.") else NewContext
            return lambda strategy: kind(self) if strategy == Strategy.USER_MANAGED else None
        if name == "create_execution_context_without_device_memory" and version.startswith("8."):
            return lambda: Context(self)
        raise AttributeError(name)


class Context:
    """An execution context; its memory is set as a property, as up to 10.0."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._profile = 0 if engine.shared or not engine.contexts else -1
        self._shape: tuple[int, ...] = ()
        self._addresses: dict[str, int] = {}
        self._ran = False
        self.device_memory = 0
        engine.contexts.add(self)

    def set_optimization_profile_async(self, profile: int, stream: int) -> bool:
        if profile != self._profile and not self._engine.shared:
            self._error("Profile 0 has been chosen by another IExecutionContext.")
            return False
        self._profile = profile
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        least, _, most = (batch for batch, *_ in self._engine.shapes)
        if self._profile < 0 or not least <= shape[0] <= most:
            self._error(f"the profile does not take {shape}")
            return False
        self._shape, self._ran = shape, False
        return True

    def set_tensor_address(self, name: str, pointer: int) -> bool:
        self._addresses[name] = pointer
        return name in self._engine.tensors and self._engine.trt.cuda.holds(pointer, 1)

    def execute_async_v3(self, stream: int) -> bool:
        engine, cuda = self._engine, self._engine.trt.cuda
        if not (self.device_memory and self._shape and set(self._addresses) == set(engine.tensors)):
            return self._error("memory, shape or addresses were not set")
        if stream in cuda.recordings and not engine.trt.records:
            cuda.recordings[stream].valid = False
            return self._error("operation not permitted when stream is capturing")
        if not self._ran:  # it takes memory then
            cuda.forbid_recording("the first run of a shape")
        self._ran = True
        places = {
            name: (self._addresses[name], 4 * int(np.prod((self._shape[0], *node.shape[1:]))))
            for name, node in engine.tensors.items()
        }
        alive = weakref.ref(self)
        shape, addresses = self._shape, dict(self._addresses)

        def run() -> None:
            if alive() is None:
                cuda.wrong("a graph runs without its execution context")
            _run(engine, shape, addresses)

        writes = [(self.device_memory, engine.SCRATCH)]
        writes += [place for name, place in places.items() if name not in engine.inputs]
        cuda.enqueue(stream, Work(run, [places[name] for name in engine.inputs], writes))
        return True

    def _error(self, message: str) -> bool:
        self._engine.log.log(Severity.ERROR, message)
        return False


class NewContext(Context):
    """As from 10.1 on: memory comes with its size."""

    def set_device_memory(self, pointer: int, size: int) -> None:
        assert size >= FakeEngine.SCRATCH
        assert self._engine.trt.cuda.holds(pointer, size)
        self.device_memory = pointer


def _run(engine: FakeEngine, shape: tuple[int, ...], addresses: dict[str, int]) -> None:
    (name,) = engine.inputs
    dtype = {DataType.FLOAT: np.float32, DataType.INT32: np.int32}[engine.get_tensor_dtype(name)]
    inputs = _at(addresses[name], shape, dtype)
    names = [node.name for node in engine.session.get_outputs()]
    for output, result in zip(names, engine.session.run(names, {name: inputs}), strict=True):
        rows = len(result) - engine.trt.forgets_rows
        _at(addresses[output], result.shape, np.float32)[:rows] = (result + engine.trt.wrong_by)[:rows]


def _at(pointer: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_byte * count).from_address(pointer), dtype).reshape(shape)
