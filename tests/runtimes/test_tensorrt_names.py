"""Every name of TensorRT and CUDA that the code uses is one of the real bindings of version 11.4."""

import ast
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tensorrt_rtx_libs

import streamtag.runtimes
from tests.runtimes.stub_library import stub_library

_SOURCES = [Path(streamtag.runtimes.__file__).parent / f"tensorrt_{part}.py" for part in ("build", "engine")]

# Of 8.6 alone, behind a look at the version or at the name itself.
_OLD = {
    "TacticSource.CUBLAS",
    "TacticSource.CUBLAS_LT",
    "TacticSource.CUDNN",
    "BuilderFlag.FP16",
    "BuilderFlag.INT8",
    "BuilderFlag.PREFER_PRECISION_CONSTRAINTS",
    "NetworkDefinitionCreationFlag.EXPLICIT_BATCH",
    "PreviewFeature.PROFILE_SHARING_0806",
}

_METHODS = {
    "Builder": ["create_network", "create_builder_config", "create_optimization_profile", "build_serialized_network"],
    "OnnxParser": ["parse", "get_error", "num_errors"],
    "ParserError": ["desc"],
    "INetworkDefinition": ["get_input"],
    "ITensor": ["name", "shape"],
    "IBuilderConfig": [
        "set_memory_pool_limit",
        "clear_flag",
        "add_optimization_profile",
        "create_timing_cache",
        "set_timing_cache",
        "progress_monitor",
    ],
    "ITimingCache": ["serialize"],
    "IOptimizationProfile": ["set_shape"],
    "IProgressMonitor": ["phase_start", "step_complete", "phase_finish"],
    "ILogger": ["log"],
    "Runtime": ["deserialize_cuda_engine"],
    "ICudaEngine": [
        "num_io_tensors",
        "get_tensor_name",
        "get_tensor_mode",
        "get_tensor_shape",
        "get_tensor_dtype",
        "get_tensor_profile_shape",
        "create_execution_context",
        "device_memory_size_v2",
    ],
    "IExecutionContext": [
        "set_optimization_profile_async",
        "set_device_memory",
        "set_input_shape",
        "set_tensor_address",
        "execute_async_v3",
    ],
}

_LIST = """
import json, os, sys
sys.setdlopenflags(os.RTLD_LAZY)
import tensorrt_bindings as trt
names = {name: [*dir(getattr(trt, name))] for name in dir(trt) if not name.startswith("_")}
about = {"version": trt.__version__, "names": names, "strategies": trt.ICudaEngine.create_execution_context.__doc__}
print(json.dumps(about))
"""


@pytest.fixture(scope="module")
def bindings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What TensorRT 11.4's own bindings say they have.

    The package comes without the libraries that it is linked to. TensorRT-RTX's have all of their functions but one,
    for plugins, which a library without code stands in for; nothing is called.
    """
    folder = tmp_path_factory.mktemp("bindings")
    libraries = Path(tensorrt_rtx_libs.__file__).parent
    (builder,) = libraries.glob("libtensorrt_rtx.so.*")
    (parser,) = libraries.glob("libtensorrt_onnxparser_rtx.so.*")
    (folder / "libnvinfer.so.11").symlink_to(builder)
    (folder / "libnvonnxparser.so.11").symlink_to(parser)
    (folder / "libnvinfer_plugin.so.11").write_bytes(stub_library("initLibNvInferPlugins"))
    environment = os.environ | {"LD_LIBRARY_PATH": str(folder)}
    command = [sys.executable, "-W", "ignore", "-c", _LIST]
    listed = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert listed.returncode == 0, listed.stderr
    about: dict[str, Any] = json.loads(listed.stdout)
    return about


def _used() -> set[str]:
    """Return the names behind `trt.` in the code, such as "DataType.FLOAT"."""
    found = set()
    for source in _SOURCES:
        tree = ast.parse(source.read_text())
        chains = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        found |= {chain.removeprefix("trt.") for chain in chains if chain.startswith("trt.") and "(" not in chain}
    return found


def test_every_name_in_the_code_is_one_of_the_bindings(bindings: dict[str, Any]) -> None:
    assert bindings["version"].startswith("11.4.")
    used = _used()
    assert {"Builder", "OnnxParser", "Runtime", "BuilderFlag.TF32", "TensorIOMode.INPUT"} <= used
    missing = []
    for name in sorted(used - _OLD - {"__version__"}):
        first, _, rest = name.partition(".")
        members = bindings["names"].get(first, [])
        if first not in bindings["names"] or any(part not in members for part in rest.split(".")[:1] if part):
            missing.append(name)
    # Enumerations that went with weak typing are asked about in 8.6 alone.
    assert missing in ([], ["TacticSource"])


def test_names_of_8_6_are_used_there_alone(bindings: dict[str, Any]) -> None:
    gone = {name for name in _OLD if name.split(".")[1] not in bindings["names"].get(name.split(".")[0], [])}
    assert gone == _OLD
    assert _used() >= _OLD


@pytest.mark.parametrize("kind", _METHODS)
def test_every_method_that_the_code_calls_exists(bindings: dict[str, Any], kind: str) -> None:
    assert set(_METHODS[kind]) <= set(bindings["names"][kind])


def test_scratch_memory_may_be_ours(bindings: dict[str, Any]) -> None:
    assert "USER_MANAGED" in bindings["names"]["ExecutionContextAllocationStrategy"]
    assert "strategy: " in bindings["strategies"]


def test_every_cuda_call_in_the_code_exists_and_takes_what_it_is_given() -> None:
    from cuda.bindings import runtime

    tree = ast.parse((Path(streamtag.runtimes.__file__).parent / "cuda.py").read_text())
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("cudart.cuda")
    ]
    assert len({ast.unparse(call.func) for call in calls}) >= 15
    for call in calls:
        function = getattr(runtime, ast.unparse(call.func).removeprefix("cudart."))
        signature = (inspect.getdoc(function) or "").splitlines()[0]
        parameters = [part for part in signature.partition("(")[2].rpartition(")")[0].split(", ") if part]
        assert len(call.args) == len(parameters), signature


def test_cuda_without_a_driver_gives_a_status_and_raises_nothing() -> None:
    from cuda.bindings import runtime

    error, *_ = runtime.cudaGetDeviceCount()
    assert error.name in ("cudaErrorInsufficientDriver", "cudaErrorNoDevice", "cudaSuccess")


def test_the_error_names_that_the_code_knows_are_cudas() -> None:
    from cuda.bindings import runtime

    from streamtag.runtimes import cuda

    for name in (*cuda._MISSING, "cudaErrorMemoryAllocation"):
        assert name in runtime.cudaError_t.__members__
