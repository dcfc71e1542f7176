"""How well a few examples teach: ESC-50's classes, each taken out of a model's labels and taught in its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from streamtag.audio import PATCH_HOP, PATCH_SAMPLES, log_mel
from streamtag.bundle import Bundle
from streamtag.heads import Examples
from streamtag.runtimes import open_runtime
from streamtag.teaching.background import background
from streamtag.teaching.fitting import Fitted, fit
from train.data.clips import Clip, load
from train.data.esc50 import read_esc50

__all__ = ["CLASSES", "Taught", "as_markdown", "teaching"]

CLASSES: Final = 10
"""How many of the classes are shown one by one, evenly among them by name."""
_TESTED: Final = 20  # clips of a class that are kept for the test, with all others of their sources
_BELOW_LOUDEST: Final = 20.0  # dB, as `streamtag.teaching.read_examples` has it


@dataclass(frozen=True, slots=True)
class Taught:
    """How well a class was heard that was taught.

    Attributes:
        label: the class.
        precision: by the number of examples, average precision on the rest of the class against all other clips.
        unseen: the same on the fold that the model never saw.
    """

    label: str
    precision: dict[int, float]
    unseen: dict[int, float]


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """Every clip's windows, and whether each is loud enough to be an example."""

    clips: list[Clip]
    embeddings: list[NDArray[np.float32]]
    is_loud: list[NDArray[np.bool_]]


def teaching(
    bundle: Bundle, root: Path, counts: Sequence[int] = (5, 15), *, seeds: int = 3, unseen_fold: int = 1
) -> list[Taught]:
    """Teach every class by a few examples each and judge them on clips of other sources.

    Args:
        bundle: the model.
        root: the folder that holds ESC-50's.
        counts: of examples.
        seeds: how often each is done, with other examples; the mean is returned.
        unseen_fold: the fold that the model was not trained on.
    """
    heard = _embed(bundle, read_esc50(root / "esc50"))
    weak = background(bundle)
    names = sorted({clip.labels[0] for clip in heard.clips})
    found = []
    for name in names:
        whole: dict[int, float] = {}
        unseen: dict[int, float] = {}
        for count in counts:
            runs = [_judge(heard, name, count, weak, seed, unseen_fold) for seed in range(seeds)]
            whole[count], unseen[count] = (float(np.nanmean(each)) for each in zip(*runs, strict=True))
        found.append(Taught(name, whole, unseen))
    return found


def as_markdown(found: Sequence[Taught]) -> str:
    """Return the figures of ten classes as a table, then their mean, and the mean of all."""
    counts = list(found[0].precision)
    titles = [f"{count} examples" for count in counts] + [f"{count}, unseen fold" for count in counts]
    every = [(each.label, [*each.precision.values(), *each.unseen.values()]) for each in found]
    rows = every[:: max(1, len(every) // CLASSES)][:CLASSES]
    means = [("**mean of these**", rows), (f"**mean of all {len(every)}**", every)]
    rows = rows + [(name, np.nanmean([values for _, values in those], axis=0).tolist()) for name, those in means]
    lines = [f"| class | {' | '.join(titles)} |", "|---|" + "---:|" * len(titles)]
    lines += [f"| {name} | {' | '.join(f'{value:.2f}' for value in values)} |" for name, values in rows]
    return "\n".join(lines) + "\n"


def _embed(bundle: Bundle, clips: list[Clip]) -> _Heard:
    runtime = open_runtime(bundle, "onnxruntime")
    embeddings, is_loud = [], []
    for clip in clips:
        sound = np.clip(load(clip), -1, 1)
        patches = log_mel(sound)
        windows = [sound[PATCH_HOP * row : PATCH_HOP * row + PATCH_SAMPLES] for row in range(len(patches))]
        levels = np.array([10 * np.log10(np.square(window).mean() + 1e-12) for window in windows])
        embeddings.append(runtime.embed(patches).embeddings)
        is_loud.append(levels > levels.max() - _BELOW_LOUDEST)
    return _Heard(clips, embeddings, is_loud)


def _judge(
    heard: _Heard, name: str, count: int, weak: NDArray[np.float32], seed: int, unseen_fold: int
) -> tuple[float, float]:
    random = np.random.default_rng(seed)
    own = [index for index, clip in enumerate(heard.clips) if clip.labels[0] == name]
    tested, examples = _parted(heard, own, count, random)
    vectors = [heard.embeddings[index][heard.is_loud[index]] for index in examples]
    sources = [heard.clips[index].source for index, rows in zip(examples, vectors, strict=True) for _ in rows]
    scores = _scores(heard, fit(Examples(np.concatenate(vectors), sources), Examples.none(), weak))
    judged = [index for index, clip in enumerate(heard.clips) if clip.labels[0] != name or index in tested]
    unseen = [index for index in judged if heard.clips[index].fold == unseen_fold]
    whole, of_fold = ([heard.clips[index].labels[0] == name for index in indices] for indices in (judged, unseen))
    return (
        float(average_precision_score(whole, scores[judged])),
        float(average_precision_score(of_fold, scores[unseen])) if any(of_fold) else float("nan"),
    )


def _parted(heard: _Heard, own: Sequence[int], count: int, random: np.random.Generator) -> tuple[set[int], list[int]]:
    """Part a class by its sources: those to test on, and examples of the others, of as many sources as there are."""
    by_source: dict[str, list[int]] = {}
    for index in random.permutation(own).tolist():
        by_source.setdefault(heard.clips[index].source, []).append(index)
    tested: set[int] = set()
    while len(tested) < _TESTED:
        tested |= {*by_source.pop(next(iter(by_source)))}
    interleaved = [
        index for _, index in sorted((nth, index) for each in by_source.values() for nth, index in enumerate(each))
    ]
    return tested, interleaved[:count]


def _scores(heard: _Heard, fitted: Fitted) -> NDArray[np.float64]:
    """Return of each clip the highest score of its windows."""
    logits = [
        (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)) @ fitted.weights
        for rows in heard.embeddings
    ]
    return np.array([float(each.max()) for each in logits])
