"""What engines are judged on: real recordings with labels, and what ONNX Runtime says of them."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import streamtag
from streamtag.audio import PATCH_HOP, SAMPLE_RATE, Patch, Patcher, log_mel_windows
from streamtag.bundle import Bundle
from streamtag.errors import InputError
from streamtag.runtimes.onnx import OnnxModel
from streamtag.sources import open_source

_DEMO = Path(streamtag.__file__).parent / "bundles" / "default" / "demo.json"


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Windows of real sound.

    Attributes:
        windows: float32 [n, 15600], each value one of int16's.
        truth: bool [n, labels]; all False where nothing is known.
        expected: scores of `model.onnx` through ONNX Runtime, float32 [n, labels].
    """

    windows: NDArray[np.float32]
    truth: NDArray[np.bool_]
    expected: NDArray[np.float32]

    def mean_average_precision(self, scores: NDArray[np.float32]) -> float:
        """Return the mean over the labels that are heard and not always heard; NaN without any."""
        heard = np.flatnonzero(self.truth.any(axis=0) & ~self.truth.all(axis=0))
        each = [_average_precision(scores[:, label], self.truth[:, label]) for label in heard]
        return float(np.mean(each)) if each else float("nan")


def _average_precision(scores: NDArray[np.float32], truth: NDArray[np.bool_]) -> float:
    """As scikit-learn's, which need not be where engines are compiled: the area under the precision-recall steps."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(truth[order])[last]
    return float(np.sum(np.diff(hits, prepend=0) * hits / (last + 1)) / truth.sum())


def read_material(bundle: Bundle, clips: Path | None) -> Material:
    """Read the demo's recording, or the recordings of a table, and score them with ONNX Runtime.

    Args:
        bundle: the model.
        clips: a CSV file with the columns `file` (relative to it) and `label`, one row for each label of a file.

    Raises:
        InputError: the table is missing, is no such table, or names a label that the model lacks.
        SourceError: a recording cannot be read.
    """
    pairs = list(_demo() if clips is None else _table(clips, bundle))
    patches = [patch for patch, _ in pairs]
    truth = np.array([[name in labels for name in bundle.labels] for _, labels in pairs])
    windows = np.stack([patch.window for patch in patches])
    windows = (np.clip(np.rint(windows * 32768), -32768, 32767) / 32768).astype(np.float32)
    return Material(windows, truth, reference(bundle, windows))


def reference(bundle: Bundle, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the bundle's float32 model says of windows, through ONNX Runtime on all cores."""
    model = OnnxModel(bundle, "model.onnx", 0)
    parts = [
        model.run(log_mel_windows(windows[at : at + 64], log_offset=bundle.log_offset))
        for at in range(0, len(windows), 64)
    ]
    return np.concatenate(parts)


def _patches(path: Path) -> list[Patch]:
    patcher = Patcher()
    with open_source(f"file:{path}") as source:
        found = [patch for block in source for patch in patcher.feed(block)]
    return found + patcher.finish()


def _demo() -> Iterable[tuple[Patch, set[str]]]:
    about = json.loads(_DEMO.read_text())
    for patch in _patches(_DEMO.parent / about["recording"]):
        middle = (patch.start + PATCH_HOP / 2) / SAMPLE_RATE
        yield patch, {sound["label"] for sound in about["sounds"] if sound["onset"] <= middle < sound["offset"]}


def _table(clips: Path, bundle: Bundle) -> Iterable[tuple[Patch, set[str]]]:
    labels: dict[str, set[str]] = {}
    try:
        with clips.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                labels.setdefault(row["file"], set()).add(row["label"])
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise InputError(f"{clips}: not a table of the columns file and label: {error}") from error
    unknown = sorted(set().union(*labels.values()) - set(bundle.labels))
    if unknown or not labels:
        raise InputError(f"{clips}: the model has no label {unknown[0]!r}" if unknown else f"{clips}: it is empty")
    for file_name, names in labels.items():
        for patch in _patches(clips.parent / file_name):
            yield patch, names
