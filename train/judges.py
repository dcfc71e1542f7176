"""Models to be judged side by side: bundles, the published YAMNet and mn04, and ONNX graphs of anybody's."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from streamtag.audio.frontend import PATCH_SAMPLES, SAMPLE_RATE
from streamtag.bundle import Bundle
from streamtag.errors import ConfigError
from streamtag.runtimes.onnx_session import open_session
from train.clipset import ClipSet, windows_of
from train.evaluate import bundle_scorer

Scores = NDArray[np.float32]
_TABLES = (".csv", ".txt")
_PIECE = 10 * SAMPLE_RATE
"""Mn04 has learnt from pieces of ten seconds; longer recordings are cut."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A model by name.

    Attributes:
        name: what it is called in the table.
        labels: what it can name, in the order of its scores.
        score: from recordings to clip scores float32 [clips, labels].
    """

    name: str
    labels: tuple[str, ...]
    score: Callable[[ClipSet], Scores]


def judge_of(model: str) -> Judge:
    """Return a model by a bundle's name or path, or by the path of `*.onnx`, `yamnet.tflite`, `*.safetensors` (mn04).

    Raises:
        StreamtagError: there is no such model, it is not what its name says, or its labels are not beside it.
    """
    path = Path(model)
    kinds = {".onnx": of_graph, ".tflite": of_yamnet, ".safetensors": of_mn04}
    return kinds[path.suffix](path) if path.suffix in kinds else of_bundle(model)


def of_bundle(name: str) -> Judge:
    """Return a bundle, by the graph that it was judged by when it was made; patches' scores, their mean."""
    bundle = Bundle.open(name)
    score = bundle_scorer(bundle)
    title = f"{bundle.name} {bundle.version}"
    return Judge(title, tuple(bundle.labels), lambda clips: clips.means(score(clips.patches)))


def of_yamnet(path: Path) -> Judge:
    """Return the published YAMNet as LiteRT runs it; windows' scores, their mean."""
    from train.published.yamnet import yamnet_labels  # LiteRT is wanted here alone
    from train.yamnet import YamNet

    yamnet = YamNet(path)
    return Judge("YAMNet", tuple(yamnet_labels(path)), lambda clips: clips.means(yamnet.run(windows_of(clips))[1]))


def of_mn04(path: Path) -> Judge:
    """Return EfficientAT's mn04, which hears whole recordings."""
    from train.published.efficientat import doubled, mn04_labels, read_mn04

    network = read_mn04(path)
    labels = tuple(mn04_labels(path))

    @torch.inference_mode()
    def score(clips: ClipSet) -> Scores:
        rows = []
        for sound in clips.sounds:
            whole = np.resize(sound, max(len(sound), SAMPLE_RATE))  # it wants a second: what is shorter is repeated
            pieces = [whole[at : at + _PIECE] for at in range(0, len(whole), _PIECE)]
            pieces = [piece for piece in pieces if len(piece) >= SAMPLE_RATE]
            heard = [torch.sigmoid(network(doubled(torch.from_numpy(piece)[None])).logits)[0] for piece in pieces]
            rows.append(torch.stack(heard).mean(dim=0).numpy())
        return np.stack(rows)

    return Judge("mn04", labels, score)


def of_graph(path: Path) -> Judge:
    """Return an ONNX graph that takes log-mel patches ([n, 1, 96, 64] or [n, 96, 64]) or windows ([n, 15600]).

    Its labels are read from `NAME.csv`, `NAME.txt`, `labels.csv` or `labels.txt` beside it: a column `name`,
    `display_name` or `label`, or a name a line. Outputs beyond 0 to 1 are taken for logits.
    """
    if not path.is_file():
        raise ConfigError(f"model {path}: no such file")
    tables = [path.with_suffix(kind) for kind in _TABLES] + [path.parent / f"labels{kind}" for kind in _TABLES]
    table = next((candidate for candidate in tables if candidate.is_file()), None)
    if table is None:
        raise ConfigError(f"model {path}: no labels beside it: write {tables[0].name}, a column name in scores' order")
    labels = _names(table)
    try:
        session = open_session(path.read_bytes())
    except Exception as error:  # ONNX Runtime's errors have no common kind of their own
        first = str(error).splitlines()[0]
        raise ConfigError(f"model {path}: not a graph that ONNX Runtime takes ({first})") from None
    inputs = session.get_inputs()
    shape = inputs[0].shape
    takes = {(4, 64): "patches", (3, 64): "flat", (2, PATCH_SAMPLES): "windows"}.get((len(shape), shape[-1]))
    if len(inputs) != 1 or takes is None:
        shapes = ", ".join(f"{node.name} {node.shape}" for node in inputs)
        raise ConfigError(f"model {path}: takes {shapes}, and neither patches [n, 1, 96, 64] nor windows [n, 15600]")
    batch = shape[0] if isinstance(shape[0], int) else 64

    def score(clips: ClipSet) -> Scores:
        given = windows_of(clips) if takes == "windows" else clips.patches
        if takes == "patches":
            given = given[:, None]
        parts = [_outputs(session, given[at : at + batch], batch) for at in range(0, len(given), batch)]
        found = next((part for part in zip(*parts, strict=True) if part[0].shape[1:] == (len(labels),)), None)
        if found is None:
            there = ", ".join(str(["n", *part.shape[1:]]).replace("'", "") for part in parts[0])
            raise ConfigError(f"model {path}: gives {there}, and {table.name} has {len(labels)} labels")
        scores = np.concatenate(found).astype(np.float32)
        if scores.min() < 0 or scores.max() > 1:  # logits
            one = np.float32(1)
            scores = one / (one + np.exp(-scores))
        return clips.means(scores)

    return Judge(path.stem, labels, score)


def _outputs(session: Any, given: NDArray[np.float32], batch: int) -> list[NDArray[np.float32]]:
    """Return all outputs of a batch, which a graph of fixed size gets filled up."""
    full = np.concatenate([given, np.zeros((batch - len(given), *given.shape[1:]), np.float32)])
    return [np.asarray(part)[: len(given)] for part in session.run(None, {session.get_inputs()[0].name: full})]


def _names(table: Path) -> tuple[str, ...]:
    """Return the label names of a table, in order.

    Raises:
        ConfigError: it cannot be read, or has no column of names.
    """
    try:
        text = table.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"labels {table}: cannot be read ({error})") from None
    if table.suffix == ".txt":
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    rows = list(csv.DictReader(text.splitlines()))
    columns = ("name", "display_name", "label")
    column = next((column for column in columns if rows and column in rows[0]), None)
    if column is None:
        raise ConfigError(f"labels {table}: has none of the columns {', '.join(columns)}")
    return tuple(row[column] for row in rows)


def judges(models: Sequence[str], yamnet: Path | None, mn04: Path | None) -> list[Judge]:
    """Return the named models, and the published ones whose files are named."""
    return [
        *(judge_of(model) for model in models),
        *([of_yamnet(yamnet)] if yamnet else []),
        *([of_mn04(mn04)] if mn04 else []),
    ]
