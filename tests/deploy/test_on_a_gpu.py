"""From the bundle to the service on a GPU: on one that is played here, and on a real one with `pytest -m gpu`."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from platformdirs import user_cache_path

import streamtag
from deploy.cli import main
from deploy.health import healthy
from streamtag.bundle import Bundle
from streamtag.engine import Service
from streamtag.runtimes import load_runtime, open_runtime
from streamtag.runtimes.onnx import OnnxModel
from streamtag.runtimes.parity import BATCHES, LIMITS, engine_input, trial_windows
from streamtag.settings import Stream
from streamtag.wire import Subscriber
from tests.engine.listening import Listener, config
from tests.runtimes.fake_cuda import FakeCuda
from tests.runtimes.stand_ins import gpu

DEMO = Path(streamtag.__file__).parent / "bundles" / "default" / "demo.flac"


@pytest.fixture(
    params=[
        "played",
        # Libraries of another version than those that the project is tested with may warn of what they like.
        pytest.param("real", marks=[pytest.mark.gpu, pytest.mark.timeout(1200), pytest.mark.filterwarnings("default")]),
    ],
    autouse=True,
)
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    if request.param == "real":
        yield request.param
        return
    for module in ("deploy.gate", "streamtag.runtimes.parity"):
        monkeypatch.setattr(f"{module}.BATCHES", (1, 7))
    with gpu(FakeCuda(), "11.4.0.106"):
        # Page-locked memory for the largest batches is ordinary memory here, and takes longest of all to fill.
        monkeypatch.setattr(load_runtime("tensorrt"), "MAX_BATCH", 64)
        yield request.param


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_every_graph_scores_as_the_cpu_does_in_batches_of_any_size(small: Bundle, precision: str) -> None:
    tensorrt = load_runtime("tensorrt")
    windows = trial_windows()
    expected = OnnxModel(small, "model.onnx", 0).run(engine_input("patches", windows)[:, 0])
    for kind, file in tensorrt.graphs(small, precision).items():
        engine = tensorrt.install(small, file, lambda engine: None, max_batch=256)
        for batch in {min(size, len(windows)) for size in BATCHES}:
            engine.poison()
            scores = engine.run(engine_input(kind, windows)[:batch])
            np.testing.assert_allclose(scores, expected[:batch], atol=LIMITS[precision])


def test_compile_then_verify_then_the_service_finds_the_engine(small: Bundle, machine: str) -> None:
    most = ["--max-batch", "64"] if machine == "played" else []
    assert main(["compile", str(small.path), *most]) == 0
    written = {path: path.stat().st_mtime_ns for path in user_cache_path("streamtag").rglob("*.engine")}
    assert len(written) == 3
    assert main(["verify", str(small.path), *most]) == 0
    assert open_runtime(small, "tensorrt", max_batch=64).precision == "float16"
    assert {path: path.stat().st_mtime_ns for path in user_cache_path("streamtag").rglob("*.engine")} == written


def test_bench_measures_the_gpu(small: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str) -> None:
    if machine == "played":
        monkeypatch.setattr("deploy.bench.CPU_BATCHES", (1,))
        monkeypatch.setattr("deploy.bench.GPU_BATCHES", (1,))
        monkeypatch.setattr("deploy.bench.AT_ONCE", 1)
        monkeypatch.setattr(load_runtime("tensorrt"), "MAX_BATCH", 8)
    assert main(["bench", str(small.path), "--seconds", "0.02"]) == 0
    rows = json.loads((tmp_path / "deploy-bench.json").read_text())["rows"]
    assert {row["graph"] for row in rows if row["runtime"].startswith("TensorRT")} == {"patches", "waveform", "pcm"}


def test_the_service_scores_on_the_gpu_as_on_the_cpu(small: Bundle) -> None:
    scores = {}
    for runtime in ("onnxruntime", "auto"):
        service = Service(config(small.path, runtime=runtime))
        service.start()
        try:
            with Subscriber(service.endpoint) as subscriber:
                listener = Listener(subscriber)
                about = listener.until(lambda message: message.header["kind"] == "service")
                demo = Stream(id="demo", source=f"file:{DEMO}", realtime=False)
                service.reload(config(small.path, runtime=runtime, streams=(demo,)))
                listener.until(lambda message: message.header.get("state") == "ended")
                assert healthy(service.endpoint)
        finally:
            service.stop()
        assert about.header["runtime"].startswith("onnxruntime" if runtime == "onnxruntime" else "tensorrt")
        scores[runtime] = np.stack([m.patch for m in listener.heard if m.patch is not None])
    assert len(scores["auto"]) == 32
    np.testing.assert_allclose(scores["auto"], scores["onnxruntime"], atol=1e-2)
