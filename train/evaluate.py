"""`python -m train evaluate`: judge a bundle or a run on recordings that it never learnt from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from streamtag.bundle import Bundle
from streamtag.errors import ConfigError
from train.clipset import ClipSet, Judged, windows_of
from train.data.sets import Collection, collect
from train.export.graphs import run_graph
from train.export.reliability import reliability
from train.fit import test_sets
from train.labels import LabelTable
from train.loop import LAST, score_patches, trained_network, went_on
from train.metrics import area_under_roc, measure
from train.prepare import say
from train.settings import Settings, teacher_file
from train.teacher import read_teacher

Scores = NDArray[np.float32]


def bundle_scorer(bundle: Bundle) -> Callable[[Scores], Scores]:
    """Return what scores patches float32 [n, 96, 64] by a bundle's graph that was judged when it was made.

    That is int8 where it costs little, as the engine chooses it; else, and where the bundle does not say, float32.
    """
    files = (bundle.manifest.get("judged_by"), "model.onnx", "model.int8.onnx")
    content = bundle.read(next((file for file in files if file in bundle.files), "model.onnx"))
    return lambda patches: run_graph(content, patches[:, None])


def run_scorer(settings: Settings, labels: LabelTable) -> Callable[[Scores], Scores]:
    """Return what scores patches by the averaged weights of a run's last checkpoint."""
    network, _ = trained_network(went_on(settings)[0], labels.names)
    return lambda patches: score_patches(network, patches, settings.fit.loss)


def compare_with_yamnet(judged: Judged, labels: LabelTable, settings: Settings) -> dict[str, Any]:
    """Return YAMNet's metrics and the model's, on the clips and labels that both can name, and the teacher's.

    Raises:
        ConfigError: YAMNet's file is missing.
    """
    from train.published.yamnet import yamnet_labels  # the comparison alone needs LiteRT
    from train.yamnet import YamNet

    assert settings.teacher is not None
    theirs = {name: index for index, name in enumerate(yamnet_labels(settings.teacher.yamnet))}
    _, scores = YamNet(settings.teacher.yamnet).run(windows_of(judged.clips))
    columns = [int(index) for index in judged.clips.columns if labels.names[index] in theirs]
    rows = judged.clips.truth[:, columns].any(axis=1)
    truth = judged.clips.truth[rows][:, columns]
    mine = judged.clips.means(judged.scores)[rows][:, columns]
    yamnet = judged.clips.means(scores)[rows][:, [theirs[labels.names[index]] for index in columns]]
    found = {"model": measure(mine, truth).as_dict(), "yamnet": measure(yamnet, truth).as_dict()}
    if teacher_file(settings).is_file():
        taught = teacher_scores(settings, judged.clips, len(labels))
        found["teacher"] = measure(judged.clips.means(taught)[rows][:, columns], truth).as_dict()
    return found


def teacher_scores(settings: Settings, clips: ClipSet, labels: int) -> Scores:
    """Return what a run's teacher says of each patch, from the three seconds around it, float32 [patches, labels]."""
    from train.ears import Ears, contexts

    assert settings.teacher is not None
    ears = Ears(settings.teacher.yamnet, settings.teacher.mn04)
    parts = []
    for row, sound in enumerate(clips.sounds):
        patches = clips.patches[clips.owner == row]
        parts.append(ears.features(*contexts(sound, len(patches)), patches))
    features = torch.from_numpy(np.concatenate(parts)).float()
    teacher = read_teacher(teacher_file(settings), features.shape[1], labels, settings.teacher)
    return teacher.targets(features)[0].numpy()


def told_apart(
    scores: Scores, truth: NDArray[np.bool_], counts: NDArray[np.bool_], index: int
) -> dict[str, float | int | None]:
    """Return how items of a label are told from items without it: AUC, and hits and false alarms at 0.5.

    Args:
        scores: float32 [n, labels].
        truth: bool [n, labels].
        counts: bool [n, labels], where the truth is known.
        index: the label.
    """
    known = counts[:, index]
    there, values = truth[known, index], scores[known, index]
    auc = area_under_roc(values, there)
    return {
        "items": int(there.sum()),
        "others": int((~there).sum()),
        "auc": round(auc, 4) if np.isfinite(auc) else None,
        "hits": round(float((values[there] >= 0.5).mean()), 4) if there.any() else None,
        "false_alarms": round(float((values[~there] >= 0.5).mean()), 4) if (~there).any() else None,
    }


def evaluate(
    settings: Settings, bundle: Bundle | None, output: Path, *, yamnet: bool, pictures: bool
) -> dict[str, Any]:
    """Judge a bundle, or a run's last checkpoint, on the run's test sets; write `evaluation.json` and a report.

    Raises:
        ConfigError: the bundle's labels are not the run's, or there is nothing to judge on.
    """
    collection: Collection = collect(settings.data)
    labels = collection.labels
    if bundle and tuple(bundle.labels) != labels.names:
        raise ConfigError(f"bundle {bundle.name} has other labels than [data] gives: judge it with its own TOML file")
    score = bundle_scorer(bundle) if bundle else run_scorer(settings, labels)
    tests = test_sets(collection)
    if not tests:
        raise ConfigError("nothing to judge on: set [data] test_fold, others_share or calibration_share")
    judged = [Judged(name, clips, score(clips.patches)) for name, clips in tests.items()]
    result: dict[str, Any] = {"model": bundle.name if bundle else str(settings.output / LAST), "sets": {}}
    for item in judged:
        columns = item.clips.columns
        patch_truth = item.clips.truth[item.clips.owner]
        known = np.ones_like(item.clips.truth)
        entry: dict[str, Any] = {
            "clip": measure(item.clips.means(item.scores)[:, columns], item.clips.truth[:, columns]).as_dict(),
            "patch": measure(item.scores[:, columns], patch_truth[:, columns]).as_dict(),
            "reliability": reliability([(item.clips, item.scores)], labels),
            "skipped": list(item.clips.skipped),
            "told_apart": {
                name: told_apart(item.clips.means(item.scores), item.clips.truth, known, labels.index(name))
                for name in ("Speech", "Music")
                if name in labels.names and item.clips.truth[:, labels.index(name)].any()
            },
        }
        if yamnet and settings.teacher:
            entry["labels_of_both"] = compare_with_yamnet(item, labels, settings)
        result["sets"][item.name] = entry
        say(f"{item.name}: {entry['clip']}")
    output.mkdir(parents=True, exist_ok=True)
    (output / "evaluation.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if pictures:
        from train.evaluation_report import write_report  # matplotlib is slow to import

        write_report(judged, labels, result, output)
    return result
