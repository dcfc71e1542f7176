"""`python -m deploy verify`: torch, ONNX Runtime and the engines on the same sound; what fails is thrown out."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from deploy.gate import Run, Trial, Verdict, judge
from deploy.material import read_material
from streamtag.bundle import Bundle
from streamtag.errors import BundleError, RuntimeUnavailableError
from streamtag.runtimes import load_runtime
from streamtag.runtimes.onnx_session import open_session


def verify(bundle: Bundle, precision: str, max_batch: int, clips: Path | None = None) -> int:
    """Judge every way to run a bundle that is here, print what was found, and return the exit status.

    The graphs for TensorRT are run by ONNX Runtime first: that needs no GPU, and shows which of graph and engine is at
    fault. An engine that fails is taken out of the cache.

    Raises:
        RuntimeUnavailableError: the engines cannot be tried here; the rest was.
        StreamtagError: the bundle or the recordings cannot be read.
    """
    trial = Trial.of(bundle, read_material(bundle, clips))
    verdicts = [*_without_gpu(bundle, precision, trial)]
    missing: RuntimeUnavailableError | None = None
    try:
        verdicts += _engines(bundle, precision, max_batch, trial)
    except RuntimeUnavailableError as error:
        missing = error
    _show(verdicts, f"{len(trial.material.windows)} real and {len(trial.random)} generated patches")
    if missing is not None:
        raise RuntimeUnavailableError(f"the engines are not verified: {missing}")
    return 0 if all(verdict.passed for verdict in verdicts) else 1


def _without_gpu(bundle: Bundle, precision: str, trial: Trial) -> Iterator[Verdict]:
    try:
        model = load_runtime("torch").open_model(bundle, os.cpu_count() or 1, 0)
        yield judge("torch", "patches", "float32", lambda x: model.run(np.asarray(x)[:, 0]), _nothing, trial)
    except (RuntimeUnavailableError, BundleError) as error:
        print(f"torch is left out: {error}")
    for file, entry in sorted(bundle.files.items()):
        if file.startswith("tensorrt/") and entry["precision"] == precision:
            run, kind = _graph(bundle.read(file))
            yield judge(f"{file} by ONNX Runtime", kind, precision, run, _nothing, trial)


def _engines(bundle: Bundle, precision: str, max_batch: int, trial: Trial) -> Iterator[Verdict]:
    tensorrt = load_runtime("tensorrt")
    for kind, file in tensorrt.graphs(bundle, precision).items():
        key = tensorrt.engine_key(bundle, file, max_batch)
        kept: Path = tensorrt.engine_file(key)
        if not kept.is_file():
            raise RuntimeUnavailableError(f"{kept.name} is not compiled: python -m deploy compile {bundle.path}")
        engine = tensorrt.Engine(kept.read_bytes())
        what = f"{file} by TensorRT {key.tensorrt} on {key.gpu.name}"
        verdict = judge(what, kind, precision, engine.run, engine.poison, trial)
        if not verdict.passed:
            kept.unlink()
        yield verdict


def _graph(content: bytes) -> tuple[Run, str]:
    session = open_session(content)
    name: str = session.get_inputs()[0].name

    def run(inputs: NDArray[np.generic]) -> NDArray[np.float32]:
        parts = [session.run(["scores"], {name: inputs[at : at + 64]})[0] for at in range(0, len(inputs), 64)]
        return np.concatenate(parts)

    return run, name


def _nothing() -> None:
    """Keep everything as it is: what takes no buffers of ours has none to spoil."""


def _show(verdicts: list[Verdict], on: str) -> None:
    table = Table(title=f"Largest difference from the float32 model by ONNX Runtime, on {on}")
    for column in ("what", "precision", "real", "generated", "mAP points lost", ""):
        table.add_column(column, justify="left" if column in ("what", "precision") else "right")
    for each in verdicts:
        figures = (f"{each.real:.2g}", f"{each.random:.2g}", f"{each.map_points:+.2f}")
        table.add_row(each.what, each.precision, *figures, "passed" if each.passed else "REFUSED")
    Console(width=None if Console().is_terminal else 160).print(table)
