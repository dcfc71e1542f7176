"""What goes into a model and what comes out, on recordings: to see whether it hears what it should."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import Patcher, log_mel_windows
from streamtag.bundle import Bundle
from streamtag.errors import InputError, SourceError
from streamtag.runtimes import Runtime, open_runtime
from streamtag.runtimes.onnx_window import OnnxWindowModel
from streamtag.runtimes.scorer import Scorer
from streamtag.sources import open_source

__all__ = ["Checked", "Unread", "check_model"]

_BATCH = 8
_BEST = 5


@dataclass(frozen=True, slots=True)
class Checked:
    """What a model makes of one recording.

    Attributes:
        file: the recording.
        rate: samples a second of what the model hears.
        samples: in a window.
        takes: "waveform", or "patches" where log-mel goes in.
        least: of all that goes in.
        mean: of it.
        greatest: of it.
        windows: how many there are.
        top: the five labels with the highest mean scores, with these.
        ms_a_window: of the processor, front end and network, in batches of eight.
        lowest: of all scores.
        highest: of them.
        within: whether all scores are from 0 to 1.
    """

    file: str
    rate: int
    samples: int
    takes: str
    least: float
    mean: float
    greatest: float
    windows: int
    top: list[tuple[str, float]]
    ms_a_window: float
    lowest: float
    highest: float
    within: bool


@dataclass(frozen=True, slots=True)
class Unread:
    """A recording that cannot be read, and why."""

    file: str
    error: str


def check_model(bundle: Bundle, files: list[str], runtime: str = "auto") -> Iterator[Checked | Unread]:
    """Run a model on recordings, one after the other; one that cannot be read keeps no other from it.

    Raises:
        BundleError, RuntimeUnavailableError: it cannot be run.
    """
    model = open_runtime(bundle, runtime)
    scorer = Scorer(model, _BATCH, bundle.geometry, bundle.log_offset)
    for file in files:
        try:
            windows = _windows(bundle, file)
        except (SourceError, InputError) as error:
            yield Unread(file, str(error))
            continue
        given, takes = _given(model, windows, bundle.log_offset)
        begin = time.process_time()
        parts = [scorer.run(windows[at : at + _BATCH]) for at in range(0, len(windows), _BATCH)]
        spent = time.process_time() - begin
        scores = np.concatenate(parts)
        raw = model.raw(np.stack(windows)) if isinstance(model, OnnxWindowModel) else scores
        clip = scores.mean(axis=0)
        lowest, highest = float(raw.min()), float(raw.max())
        yield Checked(
            file=file,
            rate=bundle.geometry.rate,
            samples=bundle.geometry.samples,
            takes=takes,
            least=float(given.min()),
            mean=float(given.mean()),
            greatest=float(given.max()),
            windows=len(windows),
            top=[
                (bundle.labels[index], float(clip[index]))
                for index in np.argsort(-clip, kind="stable")[:_BEST].tolist()
            ],
            ms_a_window=1000 * spent / len(windows),
            lowest=lowest,
            highest=highest,
            within=bool(np.isfinite(raw).all() and lowest >= 0 and highest <= 1),
        )


def _windows(bundle: Bundle, file: str) -> list[NDArray[np.float32]]:
    patcher = Patcher(bundle.geometry)
    windows = []
    with open_source(f"file:{Path(file)}") as source:
        for block in source:
            windows += [patch.window for patch in patcher.feed(block)]
    windows += [patch.window for patch in patcher.finish()]
    if not windows:
        raise SourceError(f"{file}: it holds no audio")
    return windows


def _given(model: Runtime, windows: list[NDArray[np.float32]], log_offset: float) -> tuple[NDArray[Any], str]:
    """Return what goes into the network, and what it is."""
    if isinstance(model, OnnxWindowModel):
        return model.inputs(np.stack(windows)).astype(np.float64), "waveform"
    return log_mel_windows(np.stack(windows), log_offset=log_offset), "patches"
