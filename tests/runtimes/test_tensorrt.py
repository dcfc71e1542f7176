"""The runtime's own logic, with TensorRT and CUDA played by ONNX Runtime and by the host's memory."""

import ctypes
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from platformdirs import user_cache_path

from streamtag.audio.frontend import PATCH_SAMPLES, log_mel_windows
from streamtag.bundle import Bundle
from streamtag.errors import BundleError, InputError, RuntimeUnavailableError
from streamtag.runtimes import load_runtime, open_runtime
from streamtag.runtimes.onnx import OnnxModel
from streamtag.runtimes.parity import BATCHES, engine_input, trial_windows
from tests.runtimes.fake_cuda import FakeCuda
from tests.runtimes.fake_tensorrt import BuilderFlag, Context, DataType, FakeTensorRt, LayerType
from tests.runtimes.stand_ins import gpu


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _quick_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamtag.runtimes.parity.BATCHES", (1, 7))


@pytest.fixture
def _small_engines(trt: FakeTensorRt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Build engines whose page-locked memory is soon filled, where the largest batch is none of the test's business."""
    monkeypatch.setattr(load_runtime("tensorrt"), "MAX_BATCH", 64)


SOUNDS = 97
"""So many differ, over and over: no two rows of a batch that lie a power of two apart are alike."""


@pytest.fixture(scope="module")
def windows() -> np.ndarray:
    return np.resize(trial_windows(SOUNDS), (max(BATCHES), PATCH_SAMPLES))


@pytest.fixture(scope="module")
def inputs(windows: np.ndarray) -> np.ndarray:
    return np.resize(engine_input("patches", windows[:SOUNDS]), (len(windows), 1, 96, 64))


@pytest.fixture(scope="module")
def expected(small: Bundle, inputs: np.ndarray) -> np.ndarray:
    return OnnxModel(small, "model.onnx", 1).run(inputs[:, 0])


def _engine(small: Bundle, kind: str = "patches", precision: str = "float32", max_batch: int = 64) -> Any:
    module = load_runtime("tensorrt")
    return module.install(small, module.graphs(small, precision)[kind], lambda engine: None, max_batch=max_batch)


@pytest.mark.parametrize("batch", BATCHES)
def test_every_batch_size_gives_the_scores_of_the_cpu(
    trt: FakeTensorRt, small: Bundle, inputs: np.ndarray, expected: np.ndarray, batch: int
) -> None:
    engine = _engine(small)
    for _ in range(2):
        engine.poison()
        np.testing.assert_allclose(engine.run(inputs[:batch]), expected[:batch], atol=1e-5)


@pytest.mark.usefixtures("_small_engines")
def test_patches_samples_and_16_bit_samples_give_the_same_scores(
    trt: FakeTensorRt, small: Bundle, windows: np.ndarray, expected: np.ndarray
) -> None:
    model: Any = open_runtime(small, "tensorrt")
    few = windows[:9]
    pcm = np.rint(few * 32768).astype(np.int16)
    for scores in (model.run(log_mel_windows(few)), model.run_windows(few), model.run_windows(pcm)):
        np.testing.assert_allclose(scores, expected[:9], atol=1e-2)
    for scores, embeddings in (model.embed(log_mel_windows(few)), model.embed_windows(few), model.embed_windows(pcm)):
        np.testing.assert_allclose(scores, expected[:9], atol=1e-2)
        assert embeddings.shape == (9, 16)


@pytest.mark.usefixtures("_small_engines")
def test_a_row_that_nothing_wrote_is_found(trt: FakeTensorRt, small: Bundle, windows: np.ndarray) -> None:
    trt.forgets_rows = 1
    with pytest.raises(RuntimeUnavailableError, match=r"up to inf away .* in a batch of 1, "):
        open_runtime(small, "tensorrt")


@pytest.mark.usefixtures("_small_engines")
def test_an_engine_that_scores_otherwise_is_not_installed(trt: FakeTensorRt, small: Bundle) -> None:
    trt.wrong_by = 0.02
    with pytest.raises(RuntimeUnavailableError, match=r"float16.*0\.02 away.*may cost 0\.01: not installed"):
        open_runtime(small, "tensorrt")
    assert not list(user_cache_path("streamtag").rglob("*.engine"))


@pytest.mark.usefixtures("_small_engines")
def test_a_second_start_loads_what_the_first_built(trt: FakeTensorRt, small: Bundle) -> None:
    open_runtime(small, "tensorrt")
    assert len(trt.builds) == 1
    open_runtime(small, "tensorrt")
    assert len(trt.builds) == 1
    (kept,) = user_cache_path("streamtag").rglob("*.engine")
    for part in ("float16", "-64-", f"trt{trt.__version__}", "Fake-GPU-sm9.0"):
        assert part in kept.name


def test_an_engine_that_is_built_at_first_use_takes_batches_up_to_1024(cuda: FakeCuda, small: Bundle) -> None:
    with gpu(cuda, "11.4.0.106") as newest:
        open_runtime(small, "tensorrt")
        assert [build.shapes[2][0] for build in newest.builds] == [1024]


def test_a_build_starts_from_what_earlier_ones_measured(trt: FakeTensorRt, small: Bundle) -> None:
    _engine(small, "patches")
    _engine(small, "waveform")
    assert [build.timings for build in trt.builds] == [b"", b"measured on Fake GPU"]


@pytest.mark.parametrize("kept", [b"damaged", b"measured on another part of this GPU"])
def test_measurements_that_are_of_no_use_are_made_anew(trt: FakeTensorRt, small: Bundle, kept: bytes) -> None:
    module = load_runtime("tensorrt")
    timings = module.timings_file(module.engine_key(small, module.graphs(small, "float32")["patches"]))
    module.store(timings, kept)
    _engine(small)
    assert [build.timings for build in trt.builds] == [b""]
    assert timings.read_bytes() == b"measured on Fake GPU"


def test_an_engine_of_another_gpu_is_built_again_and_said(
    trt: FakeTensorRt, small: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    module = load_runtime("tensorrt")
    file = module.graphs(small, "float32")["patches"]
    kept = module.engine_file(module.engine_key(small, file, 64))
    trt.gpu = "Other GPU"
    module.store(kept, module.build_plan(small.read(file), "float32", 1)[0])
    trt.gpu = "Fake GPU"
    with pytest.raises(RuntimeUnavailableError, match="is generated for Other GPU not this device"):
        module.Engine(kept.read_bytes())
    with caplog.at_level(logging.WARNING):
        module.install(small, file, lambda engine: None, max_batch=64)
    assert "is built again: not an engine for this GPU" in caplog.text
    assert len(trt.builds) == 2


def test_the_precision_that_is_compiled_is_taken(trt: FakeTensorRt, small: Bundle) -> None:
    for kind in ("waveform", "patches"):
        _engine(small, kind, "int8", 64)
    assert open_runtime(small, "tensorrt").precision == "int8"


def test_old_versions_are_told_the_precision_and_new_ones_read_it_in_the_graph(
    trt: FakeTensorRt, small: Bundle
) -> None:
    _engine(small, "patches", "float16")
    _engine(small, "patches", "int8")
    half, eighth = trt.builds
    if trt.__version__.startswith("8."):
        assert half.config.flags == {BuilderFlag.FP16, BuilderFlag.PREFER_PRECISION_CONSTRAINTS}
        assert eighth.config.flags == {BuilderFlag.INT8}
        assert half.config.sources == 0b10000
        kept = [layer for layer in half.network.layers if layer.precision is DataType.FLOAT]
        assert [layer.output_types for layer in kept] == [{0: DataType.FLOAT}]
        assert [(layer.type, layer.get_output(0).dtype) for layer in kept] == [(LayerType.CONVOLUTION, DataType.FLOAT)]
    else:
        assert half.config.flags == eighth.config.flags == set()
        assert half.config.sources == 0b10111
        assert half.network.flags == 1 << trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED


def test_a_build_that_fails_on_what_another_measured_is_tried_without(trt: FakeTensorRt, small: Bundle) -> None:
    _engine(small, "patches", "float32")
    trt.refuses_timings = True
    _engine(small, "patches", "float16")
    assert [build.timings for build in trt.builds] == [b"", b""]


def test_the_profile_reaches_from_one_to_the_largest_batch(trt: FakeTensorRt, small: Bundle) -> None:
    _engine(small, max_batch=512)
    assert trt.builds[0].shapes == ((1, 1, 96, 64), (128, 1, 96, 64), (512, 1, 96, 64))


def test_batches_are_padded_to_few_sizes_that_are_recorded_once(
    trt: FakeTensorRt, cuda: FakeCuda, small: Bundle, inputs: np.ndarray
) -> None:
    engine = _engine(small, max_batch=48)
    for batch in (3, 4, 3, 33, 48):
        engine.run(inputs[:batch])
    assert len(cuda.graphs) == 2
    assert cuda.launches == 5


def test_several_batches_are_under_way_at_once(
    trt: FakeTensorRt, cuda: FakeCuda, small: Bundle, inputs: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = _engine(small, max_batch=64)
    engine.run(inputs[:192])
    busy: list[int] = []
    wait = cuda.cudaStreamSynchronize

    def count_and_wait(stream: int) -> Any:
        busy.append(sum(bool(queue) for queue in cuda.queues.values()))
        return wait(stream)

    monkeypatch.setattr(cuda, "cudaStreamSynchronize", count_and_wait)
    engine.run(inputs[:320])
    assert max(busy) == 3


def test_rows_in_page_locked_memory_are_not_copied_first(
    trt: FakeTensorRt, cuda: FakeCuda, small: Bundle, windows: np.ndarray, expected: np.ndarray
) -> None:
    engine = _engine(small, "pcm", "float16")
    inputs = engine.empty(100)
    inputs[:] = engine_input("pcm", windows[:100])
    cuda.copied_from.clear()
    scores = engine.run(inputs)
    assert cuda.copied_from == [inputs.ctypes.data, inputs[64:].ctypes.data]
    np.testing.assert_allclose(scores, expected[:100], atol=1e-2)
    pageable = inputs.copy()
    engine.run(pageable)
    assert pageable.ctypes.data not in cuda.copied_from


def test_memory_that_was_page_locked_once_is_no_more(trt: FakeTensorRt, small: Bundle) -> None:
    engine = _engine(small)
    inputs = engine.empty(3)
    address, size = inputs.ctypes.data, inputs.nbytes
    is_pinned = sys.modules["streamtag.runtimes.cuda"].is_pinned
    assert is_pinned(inputs[1:])
    assert not is_pinned(inputs[:, :, ::2])
    del inputs
    assert not is_pinned(np.frombuffer((ctypes.c_byte * size).from_address(address), np.float32))


def test_an_engine_that_cannot_be_recorded_runs_all_the_same_and_that_is_said(
    trt: FakeTensorRt,
    cuda: FakeCuda,
    small: Bundle,
    windows: np.ndarray,
    expected: np.ndarray,
    caplog: pytest.LogCaptureFixture,
) -> None:
    trt.records = False
    engine = _engine(small)
    for _ in range(2):
        engine.poison()
        np.testing.assert_allclose(engine.run(engine_input("patches", windows[:150])), expected[:150], atol=1e-5)
    assert cuda.launches == 0
    assert "batches of 64 are not recorded, which makes them slower: the GPU failed" in caplog.text


def test_a_failure_of_the_gpu_is_one_line_and_leaves_no_work_behind(
    trt: FakeTensorRt, cuda: FakeCuda, small: Bundle
) -> None:
    engine = _engine(small)
    rows = np.zeros((500, 1, 96, 64), np.float32)
    engine.run(rows)
    cuda.fails = True
    with pytest.raises(RuntimeUnavailableError, match=r"^CUDA failed at waiting for the GPU: cudaErrorLaunchFailure$"):
        engine.run(rows)


def test_what_was_begun_is_finished_when_a_later_part_fails(
    trt: FakeTensorRt, cuda: FakeCuda, small: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = _engine(small)
    rows = engine.empty(100)
    shapes = Context.set_input_shape
    lanes: list[Context] = []

    def only_the_first(context: Context, name: str, shape: tuple[int, ...]) -> bool:
        lanes.append(context)
        return shapes(context, name, shape) and len(lanes) == 1

    monkeypatch.setattr(Context, "set_input_shape", only_the_first)
    with pytest.raises(RuntimeUnavailableError, match=r"^the engine takes no batch of 64: "):
        engine.run(rows)
    assert len(lanes) == 2
    assert cuda.copied_from == [rows.ctypes.data]
    assert not any(cuda.queues.values())


def test_copies_and_compute_are_timed_apart(trt: FakeTensorRt, small: Bundle) -> None:
    parts = _engine(small).parts(8, repeats=2)
    assert list(parts) == ["copy_in", "compute", "copy_out"]
    assert all(seconds > 0 for seconds in parts.values())


def test_rows_of_another_shape_are_refused(trt: FakeTensorRt, small: Bundle) -> None:
    with pytest.raises(InputError, match=r"takes patches as float32 \[n, 1, 96, 64\], not float64 \[3, 96, 64\]"):
        _engine(small).run(np.zeros((3, 96, 64)))


def test_progress_is_told_where_tensorrt_tells_it(trt: FakeTensorRt, small: Bundle) -> None:
    told: list[tuple[str, int, int]] = []
    module = load_runtime("tensorrt")
    module.build_plan(
        small.read("tensorrt/patches.float32.onnx"), "float32", 8, progress=lambda *step: told.append(step)
    )
    steps = [("Building", 0, 2), ("Building", 1, 2), ("Building", 2, 2), ("Building", 2, 2)]
    assert told == ([] if trt.__version__.startswith("8.") else steps)


def test_a_refused_graph_is_one_line(trt: FakeTensorRt, small: Bundle) -> None:
    trt.refuses = "In node 3 (importDFT):\nUNSUPPORTED_NODE"
    with pytest.raises(RuntimeUnavailableError, match=r"refuses the graph: In node 3 \(importDFT\): UNSUPPORTED_NODE$"):
        _engine(small)


def test_full_gpu_memory_is_one_line_while_building(trt: FakeTensorRt, cuda: FakeCuda, small: Bundle) -> None:
    cuda.free_bytes = 1000
    with pytest.raises(
        RuntimeUnavailableError,
        match=r"cannot build .* \(1048576 bytes\) could not be allocated\.: end .* --max-batch$",
    ):
        _engine(small)


def test_full_gpu_memory_is_one_line_while_loading(trt: FakeTensorRt, cuda: FakeCuda, small: Bundle) -> None:
    cuda.free_bytes = 3 << 20
    with pytest.raises(
        RuntimeUnavailableError, match=r"^no room for [\d.]+ MiB of GPU memory: end other programs, or `python"
    ):
        _engine(small, max_batch=1024)


def test_full_gpu_memory_is_no_reason_to_build_again(trt: FakeTensorRt, cuda: FakeCuda, small: Bundle) -> None:
    _engine(small)
    for left, message in ((1000, "no room for the engine: .*out of memory"), (3 << 20, "no room for .* of GPU memory")):
        cuda.free_bytes = left
        with pytest.raises(RuntimeUnavailableError, match=message):
            _engine(small)
    assert len(trt.builds) == 1


@pytest.mark.usefixtures("_small_engines")
def test_whoever_opens_the_model_again_shares_its_engine(trt: FakeTensorRt, cuda: FakeCuda, small: Bundle) -> None:
    first: Any = open_runtime(small, "tensorrt")
    left = cuda.free_bytes
    second: Any = open_runtime(small, "tensorrt")
    assert cuda.free_bytes == left
    assert second.engine("waveform") is first.engine("waveform")


def test_an_engine_of_smaller_batches_is_taken_where_that_is_what_was_compiled(
    trt: FakeTensorRt, small: Bundle, windows: np.ndarray, expected: np.ndarray
) -> None:
    for kind in ("waveform", "patches", "pcm"):
        _engine(small, kind, "float16", 16)
    model: Any = open_runtime(small, "tensorrt")
    np.testing.assert_allclose(model.run_windows(windows[:40]), expected[:40], atol=1e-2)
    assert [build.shapes[2][0] for build in trt.builds] == [16, 16, 16]


def test_memory_is_given_back_with_the_engine(trt: FakeTensorRt, cuda: FakeCuda, small: Bundle) -> None:
    before = cuda.free_bytes
    engine = _engine(small)
    engine.run(np.zeros((5, 1, 96, 64), np.float32))
    assert cuda.free_bytes < before
    del engine
    assert cuda.free_bytes == before
    assert not cuda.graphs
    assert not cuda.queues


def test_a_machine_without_a_gpu_is_one_line(trt: FakeTensorRt, cuda: FakeCuda, small: Bundle) -> None:
    cuda.gpus = 0
    with pytest.raises(RuntimeUnavailableError, match=r"^no NVIDIA GPU can be used here \(\w+\): nvidia-smi must"):
        open_runtime(small, "tensorrt")


def test_a_library_that_cannot_start_is_one_line(
    trt: FakeTensorRt, small: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    trt.broken = "CUDA initialization failure with error: 35\nsee the guide"
    with pytest.raises(
        RuntimeUnavailableError, match=r"^TensorRT [\d.]+ cannot start here: CUDA .* error: 35 see the guide$"
    ):
        open_runtime(small, "tensorrt")
    with caplog.at_level(logging.INFO):
        assert open_runtime(small).name == "onnxruntime"
    assert "not on a GPU: TensorRT" in caplog.text


def test_another_version_is_one_line(trt: FakeTensorRt, small: Bundle) -> None:
    trt.__version__ = "9.3.0"
    with pytest.raises(RuntimeUnavailableError, match=r"^TensorRT 9\.3\.0 is not supported: install 10 or 11"):
        open_runtime(small, "tensorrt")


def test_a_bundle_without_graphs_for_it_is_one_line(trt: FakeTensorRt, tmp_path: Path) -> None:
    from tests.bundles import make_bundle

    with pytest.raises(BundleError, match=r"no graph for TensorRT; .* export it"):
        open_runtime(Bundle.open(make_bundle(tmp_path / "plain")), "tensorrt")


@pytest.mark.usefixtures("_small_engines")
def test_auto_takes_the_gpu_and_says_so(trt: FakeTensorRt, small: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert open_runtime(small).name == "tensorrt"
    assert "runtime tensorrt on Fake GPU, float16" in caplog.text


def test_auto_takes_the_cpu_when_the_gpu_cannot_be_used_and_says_why(
    trt: FakeTensorRt, cuda: FakeCuda, small: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    cuda.gpus = 0
    with caplog.at_level(logging.INFO):
        assert open_runtime(small).name == "onnxruntime"
    assert "runtime onnxruntime on CPU, float32; not on a GPU: no NVIDIA GPU can be used here" in caplog.text
