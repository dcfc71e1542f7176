"""The evaluation's report: Markdown with pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from train.clipset import Judged
from train.labels import LabelTable
from train.metrics import average_precision

_KINDS = (
    ("per_class", "Average precision of each class"),
    ("confusion", "Confusion: true class down, highest score across"),
    ("precision_recall", "Precision and recall over all labels"),
    ("histograms", "Scores of true and of other labels"),
    ("calibration", "How often a score is right"),
)


def write_report(judged: Sequence[Judged], labels: LabelTable, result: dict[str, Any], output: Path) -> None:
    """Write `report.md` and a picture of each kind for each set of clips to `output`."""
    lines = ["# Evaluation", "", f"Model: {result['model']}.", ""]
    for item in judged:
        scores = item.clips.means(item.scores)[:, item.clips.columns]
        truth = item.clips.truth[:, item.clips.columns]
        names = [labels.names[index] for index in item.clips.columns]
        lines += [f"## {item.name}", "", *_figures(result["sets"][item.name]), ""]
        for kind, title in _KINDS:
            figure = _DRAW[kind](scores, truth, names)
            file = f"{item.name}_{kind}.png"
            figure.savefig(output / file, dpi=110, bbox_inches="tight")
            plt.close(figure)
            lines += [f"![{title}]({file})", ""]
    (output / "report.md").write_text("\n".join(lines), encoding="utf-8")


def _figures(entry: dict[str, Any]) -> list[str]:
    rows = {"clips": entry["clip"], "patches": entry["patch"]}
    for who, metrics in entry.get("labels_of_both", {}).items():
        rows[f"clips, YAMNet's labels: {who}"] = metrics
    head = list(entry["clip"])
    lines = ["| of | " + " | ".join(head) + " |", "|" + "---|" * (len(head) + 1)]
    lines += [
        f"| {name} | " + " | ".join("-" if values[key] is None else f"{values[key]:g}" for key in head) + " |"
        for name, values in rows.items()
    ]
    return lines


def _per_class(scores: Any, truth: Any, names: list[str]) -> Any:
    values = np.array([average_precision(scores[:, at], truth[:, at]) for at in range(len(names))])
    order = np.argsort(values)
    figure, axes = plt.subplots(figsize=(7, 1 + 0.16 * len(names)))
    axes.barh([names[at] for at in order], values[order], color="tab:blue")
    axes.tick_params(axis="y", labelsize=7)
    axes.set(xlim=(0, 1), xlabel="average precision", ylim=(-1, len(names)))
    return figure


def _confusion(scores: Any, truth: Any, names: list[str]) -> Any:
    counts = np.zeros((len(names), len(names)))
    for row, best in zip(truth, scores.argmax(axis=1), strict=True):
        counts[np.flatnonzero(row), best] += 1
    counts /= np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2 + 0.14 * len(names)
    figure, axes = plt.subplots(figsize=(size, size))
    axes.imshow(counts, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=6)
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.set(xlabel="highest score", ylabel="label")
    return figure


def _precision_recall(scores: Any, truth: Any, names: list[str]) -> Any:
    order = np.argsort(-scores.ravel(), kind="stable")
    hits = np.cumsum(truth.ravel()[order])
    figure, axes = plt.subplots(figsize=(5, 4))
    axes.plot(hits / max(1, hits[-1]), hits / np.arange(1, len(hits) + 1))
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    return figure


def _histograms(scores: Any, truth: Any, names: list[str]) -> Any:
    figure, axes = plt.subplots(figsize=(5, 4))
    bins = np.linspace(0, 1, 41).tolist()
    axes.hist(scores[truth], bins, density=True, alpha=0.6, label="true labels")
    axes.hist(scores[~truth], bins, density=True, alpha=0.6, label="other labels")
    axes.set(xlabel="score", ylabel="density", yscale="log")
    axes.legend()
    return figure


def _calibration(scores: Any, truth: Any, names: list[str]) -> Any:
    bins_ = np.minimum((scores * 10).astype(int), 9).ravel()
    counts = np.bincount(bins_, minlength=10)
    right = np.bincount(bins_, truth.ravel(), minlength=10) / np.maximum(counts, 1)
    mean = np.bincount(bins_, scores.ravel(), minlength=10) / np.maximum(counts, 1)
    figure, axes = plt.subplots(figsize=(5, 4))
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    axes.plot(mean[counts > 0], right[counts > 0], marker="o")
    axes.set(xlabel="mean score", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    return figure


_DRAW = {
    "per_class": _per_class,
    "confusion": _confusion,
    "precision_recall": _precision_recall,
    "histograms": _histograms,
    "calibration": _calibration,
}
