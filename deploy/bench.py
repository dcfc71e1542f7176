"""`python -m deploy bench`: every runtime that is here, side by side, to a JSON file and a table."""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from deploy.bench_table import as_markdown
from deploy.compile import compile_bundle
from deploy.machine import describe
from deploy.measure import Speed, Way, measure
from streamtag.audio import BANDS, FRAMES
from streamtag.bundle import Bundle
from streamtag.errors import RuntimeUnavailableError, StreamtagError
from streamtag.machine import version_of
from streamtag.runtimes import load_runtime
from streamtag.runtimes.parity import engine_input, trial_windows

CPU_BATCHES = (1, 8, 64)
GPU_BATCHES = (1, 8, 64, 256, 1024)
AT_ONCE = 16
"""Full batches handed over in one call, where copies and compute of neighbouring ones overlap."""


def bench(bundle: Bundle, networks: Sequence[str], seconds: float, output: Path) -> list[Speed]:
    """Measure a bundle, and networks with fresh weights, on the CPU and on the GPU where there is one.

    What cannot be measured here is said on the screen and in both files.

    Args:
        bundle: the model.
        networks: names of others.
        seconds: time for each measurement.
        output: `output`.json and `output`.md are written.

    Raises:
        ConfigError: there is no such network.
        RuntimeUnavailableError: other networks are asked for, and PyTorch is missing.
    """
    notes: list[str] = []
    speeds: list[Speed] = []
    with tempfile.TemporaryDirectory() as scratch:
        bundles = [bundle]
        for name in networks:
            folder = Path(scratch) / name
            folder.mkdir()
            bundles.append(_untrained(name, bundle.labels, folder))
        for each in bundles:
            for speed in _all(each, seconds, notes, trained=each is bundle):
                speeds.append(speed)
                print(speed, flush=True)
    about = describe()
    rows = [speed.as_dict() for speed in speeds]
    output.parent.mkdir(parents=True, exist_ok=True)
    report = {"machine": about, "notes": notes, "rows": rows}
    output.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    output.with_suffix(".md").write_text(as_markdown(about, speeds, notes))
    for note in notes:
        print(note)
    print(f"written: {output.with_suffix('.json')}, {output.with_suffix('.md')}")
    return speeds


def _untrained(name: str, labels: Sequence[str], folder: Path) -> Bundle:
    try:
        from deploy.untrained import write_untrained
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"other networks cannot be made here ({error}): pip install '.[train]'"
        ) from error
    return write_untrained(name, labels, folder)


def _all(bundle: Bundle, seconds: float, notes: list[str], *, trained: bool) -> Iterator[Speed]:
    yield from _onnxruntime(bundle, seconds)
    yield from _torch(bundle, seconds, notes)
    try:
        load_runtime("tensorrt").find_gpu()
    except StreamtagError as error:
        if (note := f"TensorRT: not measured: {error}") not in notes:
            notes.append(note)
        return
    for precision in ("float16", "float32", "int8") if trained else ("float16",):
        try:
            yield from _tensorrt(bundle, precision, seconds)
        except StreamtagError as error:
            notes.append(f"{bundle.name}, TensorRT {precision}: not measured: {error}")


def _patches(batch: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
    return np.random.default_rng(0).standard_normal((batch, FRAMES, BANDS)).astype(np.float32)


def _onnxruntime(bundle: Bundle, seconds: float) -> Iterator[Speed]:
    module = load_runtime("onnxruntime")
    for file in ("model.onnx", "model.int8.onnx"):
        if file not in bundle.files:
            continue
        for threads in sorted({1, os.cpu_count() or 1}):
            model = module.OnnxModel(bundle, file, threads)
            name = f"ONNX Runtime {version_of('onnxruntime')}, {threads} thread{'s' * (threads > 1)}"
            way = Way(bundle.name, name, "CPU", "patches", model.precision)
            for batch in CPU_BATCHES:
                patches = _patches(batch)
                yield measure(way, batch, partial(model.run, patches), seconds)


def _torch(bundle: Bundle, seconds: float, notes: list[str]) -> Iterator[Speed]:
    """Measure the network of the bundle's kind in eager torch, with fresh weights: they change nothing in its speed."""
    try:
        import torch

        from train.networks import make_network

        network = make_network(bundle.manifest["network"]["name"], len(bundle.labels)).eval()
    except (ImportError, StreamtagError) as error:
        notes.append(f"{bundle.name}, torch: not measured: {error}")
        return
    torch.backends.cudnn.allow_tf32 = False  # what is called float32 here is float32
    device = "cuda" if torch.cuda.is_available() else "cpu"
    where = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    for precision, dtype in (("float32", torch.float32), ("float16", torch.float16)):
        if device == "cpu" and precision == "float16":
            continue
        network = network.to(device, dtype)
        way = Way(bundle.name, f"torch {version_of('torch')}", where, "patches", precision)
        for batch in GPU_BATCHES if device == "cuda" else CPU_BATCHES:
            patches = torch.from_numpy(_patches(batch)[:, None])
            yield measure(way, batch, partial(_run_torch, network, device, dtype, patches), seconds)


def _run_torch(network: Any, device: str, dtype: Any, patches: Any) -> Any:
    import torch

    with torch.inference_mode():
        logits, _ = network(patches.to(device, dtype))
        return torch.sigmoid(logits.float()).cpu()


def _tensorrt(bundle: Bundle, precision: str, seconds: float) -> Iterator[Speed]:
    tensorrt = load_runtime("tensorrt")
    engines = compile_bundle(bundle, precision, tensorrt.MAX_BATCH)
    windows = trial_windows()
    for kind, engine in engines.items():
        way = Way(bundle.name, f"TensorRT {tensorrt.supported_version()}", tensorrt.find_gpu().name, kind, precision)
        rows = engine_input(kind, windows, bundle.log_offset)
        inputs = engine.empty(AT_ONCE * engine.max_batch)
        for first in range(0, len(inputs), len(rows)):
            part = inputs[first : first + len(rows)]
            part[:] = rows[: len(part)]
        for batch in GPU_BATCHES:
            part = inputs[:batch]
            yield measure(way, batch, partial(engine.run, part), seconds, engine.parts(batch))
        yield measure(way, len(inputs), partial(engine.run, inputs), seconds)
