"""A stand-in for TensorRT's bindings, versions 8.6, 10 and 11: an engine is its ONNX graph, run by ONNX Runtime."""

import enum
import json
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime

from tests.runtimes.fake_cuda import FakeCuda


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

    def log(self, severity: Severity, message: str) -> None:
        raise NotImplementedError


class TensorIOMode(enum.Enum):
    INPUT = 1
    OUTPUT = 2


DataType = enum.Enum("DataType", ["FLOAT", "HALF", "INT32", "INT8"])
BuilderFlag = enum.IntEnum("BuilderFlag", ["TF32", "FP16", "INT8", "OBEY_PRECISION_CONSTRAINTS"])
LayerType = enum.Enum("LayerType", ["CONSTANT", "SHAPE", "CONVOLUTION"])
TacticSource = enum.IntEnum("TacticSource", {"CUBLAS": 0, "CUBLAS_LT": 1, "CUDNN": 2, "JIT_CONVOLUTIONS": 4})
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
        forgets_rows: the engines leave that many of their last rows unwritten.
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
        self.ILogger = ILogger
        self.TensorIOMode = TensorIOMode
        self.DataType = DataType
        self.BuilderFlag = BuilderFlag
        self.LayerType = LayerType
        self.TacticSource = TacticSource
        self.MemoryPoolType = MemoryPoolType
        flags = {"EXPLICIT_BATCH": 0} if version.startswith("8.") else {"STRONGLY_TYPED": 1}
        self.NetworkDefinitionCreationFlag = enum.IntEnum("NetworkDefinitionCreationFlag", flags)
        if not version.startswith("8."):
            self.ExecutionContextAllocationStrategy = Strategy
            self.IProgressMonitor = type("IProgressMonitor", (), {"__init__": lambda self: None})

    def Builder(self, log: ILogger) -> "Builder":
        return Builder(self, log)

    def OnnxParser(self, network: "Network", log: ILogger) -> "Parser":
        return Parser(self, network)

    def Runtime(self, log: ILogger) -> "Runtime":
        return Runtime(self, log)


class Network:
    def __init__(self, flags: int) -> None:
        self.flags = flags
        self.graph = b""
        self.layers = [
            SimpleNamespace(type=kind, num_outputs=1, get_output=lambda _, dtype=dtype: SimpleNamespace(dtype=dtype))
            for kind in (LayerType.CONSTANT, LayerType.CONVOLUTION)
            for dtype in (DataType.FLOAT, DataType.HALF)
        ]

    @property
    def num_layers(self) -> int:
        return len(self.layers)

    def get_layer(self, index: int) -> SimpleNamespace:
        return self.layers[index]

    def get_input(self, index: int) -> SimpleNamespace:
        (tensor,) = _session(self.graph).get_inputs()
        return SimpleNamespace(name=tensor.name, shape=(-1, *tensor.shape[1:]))


class Parser:
    def __init__(self, trt: FakeTensorRt, network: Network) -> None:
        self._trt, self._network = trt, network

    def parse(self, graph: bytes) -> bool:
        self._network.graph = graph
        return not self._trt.refuses

    def get_error(self, index: int) -> SimpleNamespace:
        return SimpleNamespace(desc=lambda: self._trt.refuses)


class Config:
    def __init__(self) -> None:
        self.flags = {BuilderFlag.TF32}
        self.sources = 0b10111
        self.profile: dict[str, tuple[tuple[int, ...], ...]] = {}
        self.timings = b""
        self.progress_monitor: Any = None

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

    def create_timing_cache(self, content: bytes) -> bytes:
        return content

    def set_timing_cache(self, cache: bytes, ignore_mismatch: bool) -> None:
        self.timings = cache

    def get_timing_cache(self) -> SimpleNamespace:
        return SimpleNamespace(serialize=lambda: b"measured")


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
        return Config()

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
        self._trt.builds.append(
            SimpleNamespace(config=config, network=network, flags=config.flags, shapes=shapes, timings=config.timings)
        )
        about = {"gpu": self._trt.gpu, "version": self._trt.__version__, "shapes": shapes}
        return json.dumps(about).encode() + b"\n" + network.graph


class Runtime:
    def __init__(self, trt: FakeTensorRt, log: ILogger) -> None:
        self._trt, self._log = trt, log

    def deserialize_cuda_engine(self, plan: bytes) -> "FakeEngine | None":
        head, _, graph = plan.partition(b"\n")
        about = json.loads(head)
        if (about["gpu"], about["version"]) != (self._trt.gpu, self._trt.__version__):
            self._log.log(Severity.ERROR, f"The engine plan file is generated for {about['gpu']}\nnot this device.")
            return None
        return FakeEngine(self._trt, graph, about["shapes"])


class FakeEngine:
    SCRATCH = 1000

    def __init__(self, trt: FakeTensorRt, graph: bytes, shapes: list[list[int]]) -> None:
        self.trt = trt
        self.session = _session(graph)
        self._shapes = shapes
        self._tensors = {node.name: node for node in [*self.session.get_inputs(), *self.session.get_outputs()]}
        self._inputs = [node.name for node in self.session.get_inputs()]
        self.num_io_tensors = len(self._tensors)
        # 8.6 and 10 have the one, 10 and 11 the other.
        setattr(self, "device_memory_size" if trt.__version__.startswith("8.") else "device_memory_size_v2", 1000)

    def get_tensor_name(self, index: int) -> str:
        return list(self._tensors)[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in self._inputs else TensorIOMode.OUTPUT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, *self._tensors[name].shape[1:])

    def get_tensor_dtype(self, name: str) -> DataType:
        return _TYPES[self._tensors[name].type]

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[list[int]]:
        assert profile == 0
        return self._shapes

    def __getattr__(self, name: str) -> Any:
        if name == "create_execution_context" and not self.trt.__version__.startswith("8."):
            return lambda strategy: NewContext(self) if strategy == Strategy.USER_MANAGED else None
        if name == "create_execution_context_without_device_memory" and self.trt.__version__.startswith("8."):
            return lambda: Context(self)
        raise AttributeError(name)


class Context:
    """An execution context; its memory is set as a property, as in 8.6."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._shape: tuple[int, ...] = ()
        self._addresses: dict[str, int] = {}
        self.device_memory = 0

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        least, _, most = (batch for batch, *_ in self._engine.get_tensor_profile_shape(name, 0))
        self._shape = shape
        return least <= shape[0] <= most

    def set_tensor_address(self, name: str, pointer: int) -> None:
        self._addresses[name] = pointer

    def execute_async_v3(self, stream: int) -> bool:
        assert self.device_memory, "an engine needs its scratch memory"
        self._engine.trt.cuda.enqueue(stream, self._execute)
        return True

    def _execute(self) -> None:
        engine, session = self._engine, self._engine.session
        (name,) = (node.name for node in session.get_inputs())
        dtype = {DataType.FLOAT: np.float32, DataType.INT32: np.int32}[engine.get_tensor_dtype(name)]
        inputs = _at(self._addresses[name], self._shape, dtype)
        names = [node.name for node in session.get_outputs()]
        for output, result in zip(names, session.run(names, {name: inputs}), strict=True):
            rows = len(result) - engine.trt.forgets_rows
            _at(self._addresses[output], result.shape, np.float32)[:rows] = (result + engine.trt.wrong_by)[:rows]


class NewContext(Context):
    """As from 10.1 on: memory comes with its size."""

    def set_device_memory(self, pointer: int, size: int) -> None:
        assert size >= FakeEngine.SCRATCH
        self.device_memory = pointer


def _at(pointer: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    import ctypes

    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_byte * count).from_address(pointer), dtype).reshape(shape)
