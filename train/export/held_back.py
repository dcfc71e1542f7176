"""What held-back recordings say of a graph: metrics, false alarms, thresholds that keep them rare, and weak labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.alarms import count, streams_of
from train.clipset import ClipSet, Judged
from train.evaluate import compare_with_yamnet
from train.export import graphs
from train.export.alarms import off_of, onsets_a_minute
from train.export.reliability import reliability
from train.export.thresholds import as_manifest, asked, labelled_streams
from train.labels import LabelTable
from train.metrics import average_precision, measure
from train.prepare import say
from train.settings import Settings

__all__ = ["judge", "weak_labels"]

_FEW_SOURCES = 5
_WEAK_PRECISION = 0.5


def judge(
    graph: Path, tests: dict[str, ClipSet], labels: LabelTable, settings: Settings, known: dict[str, dict[str, int]]
) -> dict[str, Any]:
    """Return what a manifest says of a graph.

    Returns:
        `metrics` by set of clips; `thresholds` of events; `weak_labels`, which begin no event at their own threshold,
        which no score passes; `reliability` of scores; `alarms`, the false ones in recordings of `[data] alarms`, where
        it names some.
    """
    judged: list[tuple[ClipSet, NDArray[np.float32]]] = []
    heard: dict[str, tuple[ClipSet, NDArray[np.float32]]] = {}
    metrics: dict[str, dict[str, Any]] = {}
    rate: dict[str, tuple[list[NDArray[np.float32]], list[NDArray[np.bool_]]]] = {}
    for name, clips in tests.items():
        scores = graphs.run_graph(graph, clips.patches[:, None])
        metrics[name] = measure(clips.means(scores)[:, clips.columns], clips.truth[:, clips.columns]).as_dict()
        say(f"{name}: {metrics[name]}")
        judged.append((clips, clips.means(scores)))
        if settings.teacher:
            comparison = compare_with_yamnet(Judged(name, clips, scores), labels, settings)
            metrics[f"{name}, YAMNet's labels alone"] = comparison["model"]
            metrics[f"{name}, YAMNet itself"] = comparison["yamnet"]
            if "teacher" in comparison:
                metrics[f"{name}, the teacher on them"] = comparison["teacher"]
            say(f"{name} on labels that YAMNet has: {comparison}")
        rate[name], heard[name] = labelled_streams(clips, scores, labels), (clips, scores)
    weak = weak_labels(judged, labels, known) if judged else []
    folder = settings.data.alarms
    listened = (
        streams_of(folder, lambda patches: graphs.run_graph(graph, patches[:, None]), labels.names) if folder else []
    )
    on = asked(labels, rate.get("calibration"), listened, weak)
    thresholds = as_manifest(labels, on)
    streams = [stream for part, _ in rate.values() for stream in part]
    absences = [absent for _, part in rate.values() for absent in part]
    if streams:
        often = onsets_a_minute(streams, absences, on)
        worst = int(np.nanargmax(often))
        metrics["false_alarms"] = {
            "minutes": round(sum(len(stream) for stream in streams) * 0.96 / 60, 1),
            "worst_onsets_a_minute": round(float(often[worst]), 3),
            "mean_onsets_a_minute": round(float(np.nanmean(often)), 4),
            "labels_over_1": int(np.nansum(often > 1)),
        }
        say(f"false alarms: {metrics['false_alarms']}, most by {labels.names[worst]}; raised: {thresholds['labels']}")
    alarms = count(listened, labels.names, on, off_of(on)).as_dict() if listened else {}
    judged_on = [part for name, part in heard.items() if name != "calibration"] or list(heard.values())
    found = {"metrics": metrics, "thresholds": thresholds, "weak_labels": weak, "alarms": alarms}
    return found | ({"reliability": reliability(judged_on, labels)} if judged_on else {})


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
