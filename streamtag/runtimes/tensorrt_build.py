"""From an ONNX graph to an engine's plan, with TensorRT 8.6, 10 or 11."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorrt as trt

from streamtag.errors import RuntimeUnavailableError
from streamtag.runtimes.tensorrt_engine import LOG, started, supported_version

__all__ = ["Progress", "build_plan"]

Progress = Callable[[str, int, int], None]
"""Called with a phase's name, its finished steps, and all of them."""

_WORKSPACE_BYTES = 2 << 30


def build_plan(
    graph: bytes, precision: str, max_batch: int, timings: bytes = b"", progress: Progress | None = None
) -> tuple[bytes, bytes]:
    """Compile a graph for this machine's GPU.

    Args:
        graph: an ONNX file with one input, whose first size is free.
        precision: "float32", "float16" or "int8"; it stands in the graph itself, and only 8.6 must be told.
        max_batch: the engine takes batches of 1 to this.
        timings: what an earlier build measured; it makes this one faster.
        progress: told how far the build is, by TensorRT 10 and later.

    Returns:
        The plan, and what was measured.

    Raises:
        RuntimeUnavailableError: TensorRT refuses the graph, or the GPU's memory is full.
    """
    try:
        return _build(graph, precision, max_batch, timings, progress)
    except BuildFailedError:
        if not timings:
            raise
        # 8.6 was seen to fail on what a build of another precision had measured.
        return _build(graph, precision, max_batch, b"", progress)


class BuildFailedError(RuntimeUnavailableError):
    """TensorRT took the graph and made no engine of it."""


def _build(
    graph: bytes, precision: str, max_batch: int, timings: bytes, progress: Progress | None
) -> tuple[bytes, bytes]:
    old = supported_version().startswith("8.")
    builder = started(trt.Builder)
    flag = trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH if old else trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
    network = builder.create_network(1 << int(flag))
    parser = trt.OnnxParser(network, LOG)
    if not parser.parse(graph):
        reason = " ".join(parser.get_error(0).desc().split()) if parser.num_errors else LOG.take_error()
        raise RuntimeUnavailableError(f"TensorRT refuses the graph: {reason}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE_BYTES)
    # Its 10-bit mantissas are not float32, neither in a float32 body nor in the front end.
    config.clear_flag(trt.BuilderFlag.TF32)
    if old:
        _set_up_8_6(network, config, precision)
    profile = builder.create_optimization_profile()
    tensor = network.get_input(0)
    row = tuple(tensor.shape)[1:]
    profile.set_shape(tensor.name, (1, *row), (max(1, max_batch // 4), *row), (max_batch, *row))
    if config.add_optimization_profile(profile) < 0:
        raise RuntimeUnavailableError(f"TensorRT refuses batches of 1 to {max_batch}: {LOG.take_error()}")
    cache = config.create_timing_cache(timings)
    if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
        # Damaged, or measured with another driver or on another part of a divided GPU.
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, ignore_mismatch=False)
    monitor = _monitor(progress)
    if monitor is not None:
        config.progress_monitor = monitor
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise BuildFailedError(f"TensorRT cannot build the engine: {LOG.take_error()}")
    return bytes(plan), bytes(cache.serialize())


def _set_up_8_6(network: Any, config: Any, precision: str) -> None:
    """Say to 8.6 what later ones do by themselves, or read in the graph."""
    # Several execution contexts work at once.
    config.set_preview_feature(trt.PreviewFeature.PROFILE_SHARING_0806, True)
    # A CNN needs none of these, and they load libraries of several hundred megabytes.
    sources = config.get_tactic_sources()
    for source in (trt.TacticSource.CUBLAS, trt.TacticSource.CUBLAS_LT, trt.TacticSource.CUDNN):
        sources &= ~(1 << int(source))
    config.set_tactic_sources(sources)
    if precision == "int8":
        config.set_flag(trt.BuilderFlag.INT8)
    if precision == "float16":
        config.set_flag(trt.BuilderFlag.FP16)
        # Where it has no kernel for a layer in float32 it says so and takes float16: the scores are tried in any case.
        config.set_flag(trt.BuilderFlag.PREFER_PRECISION_CONSTRAINTS)
        # A cast's type is its own: told another one, or the same again, the builder fails.
        untyped = (trt.LayerType.CONSTANT, trt.LayerType.SHAPE, trt.LayerType.CAST)
        for layer in (network.get_layer(index) for index in range(network.num_layers)):
            if layer.type not in untyped and layer.num_outputs and layer.get_output(0).dtype == trt.DataType.FLOAT:
                layer.precision = trt.DataType.FLOAT
                layer.set_output_type(0, trt.DataType.FLOAT)


def _monitor(progress: Progress | None) -> Any:
    if progress is None or not hasattr(trt, "IProgressMonitor"):  # 8.6 has none
        return None
    tell = progress

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """TensorRT's interface: phases lie within phases."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self.steps[phase_name] = num_steps
            tell(phase_name, 0, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            tell(phase_name, step + 1, self.steps.get(phase_name, step + 1))
            return True

        def phase_finish(self, phase_name: str) -> None:
            tell(phase_name, self.steps.get(phase_name, 0), self.steps.pop(phase_name, 0))

    return Monitor()
