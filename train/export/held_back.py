"""What held-back recordings say of a graph: metrics, false alarms, thresholds that keep them rare, and weak labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.clipset import ClipSet, Judged
from train.evaluate import compare_with_yamnet
from train.export import graphs
from train.export.alarms import onsets_a_minute, raised_thresholds
from train.labels import LabelTable, unsure_with
from train.labels.table import SILENCE
from train.metrics import average_precision, measure
from train.prepare import say
from train.settings import Settings

__all__ = ["judge", "weak_labels"]

_ON, _OFF = 0.5, 0.3
_FEW_SOURCES = 5
_WEAK_PRECISION = 0.5
_QUIET = -4.3
"""A patch whose mean log-mel is lower holds silence: its least is ln(0.01) = -4.6."""


def judge(
    graph: Path, tests: dict[str, ClipSet], labels: LabelTable, settings: Settings, known: dict[str, dict[str, int]]
) -> tuple[dict[str, dict[str, Any]], dict[str, Any], list[str]]:
    """Return metrics by set of clips as a graph has them, the events' thresholds, and the weak labels.

    A weak label begins no event at its own threshold, which no score passes.
    """
    judged: list[tuple[ClipSet, NDArray[np.float32]]] = []
    metrics: dict[str, dict[str, Any]] = {}
    thresholds: dict[str, Any] = {"on": _ON, "off": _OFF, "labels": {}}
    rate: list[tuple[list[NDArray[np.float32]], list[NDArray[np.bool_]]]] = []
    for name, clips in tests.items():
        scores = graphs.run_graph(graph, clips.patches[:, None])
        metrics[name] = measure(clips.means(scores)[:, clips.columns], clips.truth[:, clips.columns]).as_dict()
        say(f"{name}: {metrics[name]}")
        judged.append((clips, clips.means(scores)))
        if settings.teacher:
            beside = compare_with_yamnet(Judged(name, clips, scores), labels, settings)
            metrics[f"{name}, YAMNet's labels alone"] = beside["model"]
            metrics[f"{name}, YAMNet itself"] = beside["yamnet"]
            if "teacher" in beside:
                metrics[f"{name}, the teacher on them"] = beside["teacher"]
            say(f"{name} on labels that YAMNet has: {beside}")
        rate.append(_streams(clips, scores, labels))
        if name == "calibration":
            raised = raised_thresholds(*rate[-1], on=_ON, off=_OFF, most=1.0)
            thresholds["labels"] = {
                labels.names[index]: {"on": value, "off": round(value * _OFF / _ON, 2)}
                for index, value in raised.items()
            }
    weak = weak_labels(judged, labels, known) if judged else []
    thresholds["labels"] |= {name: {"on": 1.0, "off": 1.0} for name in weak}
    at_least = np.full(len(labels), _ON, np.float32)
    for name, pair in thresholds["labels"].items():
        at_least[labels.index(name)] = pair["on"]
    streams = [stream for part, _ in rate for stream in part]
    absences = [absent for _, part in rate for absent in part]
    if streams:
        alarms = onsets_a_minute(streams, absences, at_least, _OFF)
        worst = int(np.nanargmax(alarms))
        metrics["false_alarms"] = {
            "minutes": round(sum(len(stream) for stream in streams) * 0.96 / 60, 1),
            "worst_onsets_a_minute": round(float(alarms[worst]), 3),
            "mean_onsets_a_minute": round(float(np.nanmean(alarms)), 4),
            "labels_over_1": int(np.nansum(alarms > 1)),
        }
        say(f"false alarms: {metrics['false_alarms']}, most by {labels.names[worst]}; raised: {thresholds['labels']}")
    return metrics, thresholds, weak


def weak_labels(
    judged: Sequence[tuple[ClipSet, NDArray[np.float32]]], labels: LabelTable, known: dict[str, dict[str, int]]
) -> list[str]:
    """Return the labels with fewer than 5 sources whose average precision on held-back recordings is under 0.5.

    Args:
        judged: sets of clips with clip scores float32 [clips, labels].
        labels: the labels.
        known: recordings and sources of each label.
    """
    truth = np.concatenate([clips.truth for clips, _ in judged])
    scores = np.concatenate([values for _, values in judged])
    found = []
    for index, name in enumerate(labels.names):
        few = known.get(name, {"sources": 0})["sources"] < _FEW_SOURCES and truth[:, index].any()
        if few and average_precision(scores[:, index], truth[:, index]) < _WEAK_PRECISION:
            found.append(name)
    return found


def _streams(
    clips: ClipSet, scores: NDArray[np.float32], labels: LabelTable
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.bool_]]]:
    """Return each clip's patch scores, and which labels are certainly not in it."""
    index = {name: place for place, name in enumerate(labels.names)}
    streams, absences = [], []
    for row, clip in enumerate(clips.clips):
        absent = ~clips.truth[row]
        for name in clip.labels:
            absent[[index[other] for other in unsure_with(name) if other in index]] = False
        if SILENCE in index and clips.patches[clips.owner == row].mean(axis=(1, 2)).min() < _QUIET:
            absent[index[SILENCE]] = False
        streams.append(scores[clips.owner == row])
        absences.append(absent)
    return streams, absences
