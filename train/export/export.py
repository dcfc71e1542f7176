"""`python -m train export`: a run's averaged weights as a bundle."""

import csv
import io
import json
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from streamtag.audio.frontend import PATCH_SAMPLES, log_mel_windows, parameters
from streamtag.bundle import FORMAT, Bundle
from train.clipset import ClipSet, Judged
from train.data.bank import make_bank
from train.data.clips import Clip, load_all
from train.data.render import render
from train.data.sets import Collection, collect
from train.evaluate import compare_with_yamnet, told_apart
from train.export import graphs
from train.export.alarms import onsets_a_minute, raised_thresholds
from train.export.calibrate import calibrate, unchanged
from train.export.card import credits_of, write_card
from train.export.modules import FromWaveform, HalfBody, Scores
from train.fit import test_sets
from train.labels import LabelTable, unsure_with
from train.labels.table import SILENCE
from train.loop import trained_network
from train.metrics import Metrics, average_precision, measure
from train.networks.blocks import Classifier
from train.networks.counts import multiplies, weights
from train.prepare import say
from train.settings import Settings

ON, OFF = 0.5, 0.3
CALIBRATION_WINDOWS = 6000
_QUANTISE_WINDOWS = 600
TENSORRT = "tensorrt"
_INT8_MAY_COST = 0.5
_FEW_SOURCES = 5
_WEAK_PRECISION = 0.5
_APART = ("Speech", "Music", "Silence")
_QUIET = -4.3
"""A patch whose mean log-mel is lower holds silence: its least is ln(0.01) = -4.6."""


def made_windows(
    collection: Collection, settings: Settings, windows: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return patches, truth and known labels of windows made from the calibration recordings, which nothing learnt."""
    clips, sounds, _ = load_all(collection.split.calibration)
    _, rooms, _ = load_all(collection.rooms)
    bank = make_bank(clips, sounds, rooms, collection.labels, settings.render.label_power)
    rng = np.random.default_rng([settings.render.seed, 1_000_000])
    made = [render(bank, settings.render, rng) for _ in range(windows)]
    patches = log_mel_windows(np.stack([window.samples[window.at :][:PATCH_SAMPLES] for window in made]))
    return patches, np.stack([window.positive for window in made]), ~np.stack([window.unsure for window in made])


@torch.no_grad()
def logits_of(network: Classifier, patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the last layer gives, float32 [n, labels], of patches float32 [n, 96, 64]."""
    embeddings = [network(torch.from_numpy(patches[at : at + 256])[:, None])[1] for at in range(0, len(patches), 256)]
    logits: NDArray[np.float32] = network.head(torch.cat(embeddings)).numpy()
    return logits


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


def export(
    settings: Settings,
    target: Path,
    version: str,
    *,
    tensorrt: bool = True,
    windows: int = CALIBRATION_WINDOWS,
    note: str = "",
) -> Bundle:
    """Write a run's bundle to the folder `target`, next to whatever else is there, and return it.

    Raises:
        ConfigError: the run has no weights, or they are of another network.
    """
    collection = collect(settings.data)
    labels = collection.labels
    network, step = trained_network(settings, labels.names)
    patches, truth, counts = made_windows(collection, settings, windows)
    softmax = settings.fit.loss == "softmax"
    logits = logits_of(network, patches)
    calibration = unchanged(logits, truth, counts) if softmax else calibrate(logits, truth, counts, network.competition)
    say(f"calibration: x {calibration.scale:.3f} {calibration.bias:+.3f}, "
        f"error {calibration.error_before:.3f} -> {calibration.error_after:.3f}")  # fmt: skip
    scores = Scores(network, calibration.scale, calibration.bias, softmax=softmax)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        precisions = _graphs(scores, patches, folder, tensorrt=tensorrt)
        parity, made, quantised = _parity(scores, folder, patches, truth & counts)
        tests = test_sets(collection)
        data = _data(collection, settings, step, note)
        graph = folder / ("model.int8.onnx" if parity["int8_map_points_lost"] <= _INT8_MAY_COST else "model.onnx")
        metrics, thresholds, weak = _judge(graph, tests, labels, settings, data["labels"])
        metrics["told_apart"] = {
            name: told_apart(quantised, truth, counts, labels.index(name)) for name in _APART if name in labels.names
        }
        metrics["made_windows"] = made.as_dict()
        metrics["score_scale"] = {key: round(value, 4) for key, value in asdict(calibration).items()}
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "name": settings.name,
            "summary": settings.summary,
            "version": version,
            "created": datetime.now(UTC).strftime("%Y-%m-%d"),
            "frontend": parameters(),
            "labels": {"count": len(labels), "sha256": labels.sha256},
            "network": {
                "name": settings.fit.network,
                "weights": weights(network),
                "multiplies": multiplies(network),
                "competition": network.competition,
            },
            "thresholds": thresholds,
            "metrics": metrics,
            "parity": parity,
            "judged_by": graph.name,
            "weak_labels": weak,
            "data": data,
        }
        _labels_csv(labels, folder / "labels.csv")
        card = write_card(manifest, credits_of(collection.split.train), _limits(manifest))
        (folder / "card.md").write_text(card, encoding="utf-8")
        manifest["files"] = {file: bundle_entry(folder / file, precision) for file, precision in precisions.items()}
        manifest["files"]["labels.csv"] = bundle_entry(folder / "labels.csv", "")
        manifest["files"]["card.md"] = bundle_entry(folder / "card.md", "")
        (folder / "manifest.json").write_text(
            json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        _place(folder, target)
    return Bundle.open(target)


def _graphs(scores: Scores, patches: NDArray[np.float32], folder: Path, *, tensorrt: bool) -> dict[str, str]:
    """Write all graphs; return each file's precision."""
    chosen = np.random.default_rng(0).choice(len(patches), min(_QUANTISE_WINDOWS, len(patches)), replace=False)
    sample = patches[chosen][:, None]
    patch, window = torch.zeros(2, 1, *patches.shape[1:]), torch.zeros(2, PATCH_SAMPLES)
    graphs.write_graph(scores, patch, "patches", folder / "model.onnx")
    graphs.quantise(folder / "model.onnx", folder / "model.int8.onnx", "patches", sample, symmetric=False)
    graphs.write_graph(FromWaveform(scores), window, "waveform", folder / "waveform.onnx")
    precisions = {"model.onnx": "float32", "model.int8.onnx": "int8", "waveform.onnx": "float32"}
    if tensorrt:
        from train.export.tensorrt import write_tensorrt  # its graphs are many and not every export wants them

        precisions |= write_tensorrt(scores, HalfBody(scores), sample, folder)
    return precisions


def _parity(
    scores: Scores, folder: Path, patches: NDArray[np.float32], truth: NDArray[np.bool_]
) -> tuple[dict[str, float], Metrics, NDArray[np.float32]]:
    """Return how far the graphs are from torch on real patches, and the int8 graph's metrics and scores there."""
    with torch.no_grad():
        parts = [scores(torch.from_numpy(patches[at : at + 256])[:, None])[0] for at in range(0, len(patches), 256)]
    expected = torch.cat(parts).numpy()
    whole = graphs.run_graph(folder / "model.onnx", patches[:, None])
    eighth = graphs.run_graph(folder / "model.int8.onnx", patches[:, None])
    columns = truth.any(axis=0)
    float_map = measure(expected[:, columns], truth[:, columns]).map
    int8 = measure(eighth[:, columns], truth[:, columns])
    parity = {
        "patches": len(patches),
        "float32_max_difference": float(np.abs(whole - expected).max()),
        "float32_map": round(float_map, 4),
        "int8_map": round(int8.map, 4),
        "int8_map_points_lost": round(100 * (float_map - int8.map), 3),
        "int8_mean_difference": float(np.abs(eighth - expected).mean()),
    }
    say(f"parity: {parity}")
    return parity, int8, eighth


def _judge(
    graph: Path, tests: dict[str, ClipSet], labels: LabelTable, settings: Settings, known: dict[str, dict[str, int]]
) -> tuple[dict[str, dict[str, Any]], dict[str, Any], list[str]]:
    """Return metrics by set of clips as a graph has them, the events' thresholds, and the weak labels.

    A weak label begins no event at its own threshold, which no score passes.
    """
    judged: list[tuple[ClipSet, NDArray[np.float32]]] = []
    metrics: dict[str, dict[str, Any]] = {}
    thresholds: dict[str, Any] = {"on": ON, "off": OFF, "labels": {}}
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
            raised = raised_thresholds(*rate[-1], on=ON, off=OFF, most=1.0)
            thresholds["labels"] = {
                labels.names[index]: {"on": value, "off": round(value * OFF / ON, 2)} for index, value in raised.items()
            }
    weak = weak_labels(judged, labels, known) if judged else []
    thresholds["labels"] |= {name: {"on": 1.0, "off": 1.0} for name in weak}
    on = np.full(len(labels), ON, np.float32)
    for name, pair in thresholds["labels"].items():
        on[labels.index(name)] = pair["on"]
    streams = [stream for part, _ in rate for stream in part]
    absences = [absent for _, part in rate for absent in part]
    if streams:
        alarms = onsets_a_minute(streams, absences, on, OFF)
        worst = int(np.nanargmax(alarms))
        metrics["false_alarms"] = {
            "minutes": round(sum(len(stream) for stream in streams) * 0.96 / 60, 1),
            "worst_onsets_a_minute": round(float(alarms[worst]), 3),
            "mean_onsets_a_minute": round(float(np.nanmean(alarms)), 4),
            "labels_over_1": int(np.nansum(alarms > 1)),
        }
        say(f"false alarms: {metrics['false_alarms']}, most by {labels.names[worst]}; raised: {thresholds['labels']}")
    return metrics, thresholds, weak


def _data(collection: Collection, settings: Settings, step: int, note: str) -> dict[str, Any]:
    parts = collection.split
    method = [
        f"Trained for {step} steps of {settings.fit.batch} patches of 960 ms, each within three seconds mixed from one "
        "to three recordings with changes of speed, level, colour, room, codec and noise.",
    ]
    if settings.teacher:
        method[0] += (
            " Targets are the recordings' own labels and the scores of a teacher: a head trained on the same windows "
            "on what the published YAMNet and EfficientAT's mn04 hear in the patch and in the three seconds around it. "
            "The network also learns to predict what these two hear."
        )
        if settings.teacher.elder:
            method[0] += f" The network of the run `{settings.teacher.elder.name}` taught it too."
    if settings.render.plain:
        method[0] += " The last layer was fitted last, on recordings as they are and on some of the mixed windows."
    begun = settings.fit.weights is not None
    method += [
        "",
        "It began with the weights of EfficientAT's mn04 (Schmid, Koutini, Widmer, ICASSP 2023), under the MIT "
        "licence, copyright 2022 Florian Schmid: `NOTICE-EfficientAT.txt` beside this folder holds it."
        if begun
        else "No published weights are in it.",
    ]
    if note:
        method += ["", note]
    return {
        "clips": len(parts.train),
        "calibration_clips": len(parts.calibration),
        "test_fold": settings.data.test_fold,
        "held_back": sorted({*settings.data.held, *(clip.source for clip in parts.others)}),
        "seed": settings.fit.seed,
        "windows": settings.render.windows,
        "steps": step,
        "method": method,
        "labels": sources_by_label(parts.train),
        "settings": {
            "render": msgspec.to_builtins(settings.render),
            "fit": msgspec.to_builtins(settings.fit, enc_hook=lambda path: path.name),
        },
    }


def sources_by_label(clips: Iterable[Clip]) -> dict[str, dict[str, int]]:
    """Return how many recordings each label was trained on, and of how many sources (repositories, or Freesound)."""
    recordings: dict[str, int] = defaultdict(int)
    sources: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        for label in clip.labels:
            recordings[label] += 1
            sources[label].add(clip.repository or clip.source)
    return {name: {"recordings": recordings[name], "sources": len(sources[name])} for name in sorted(recordings)}


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


def _limits(manifest: dict[str, Any]) -> list[str]:
    return [
        "Labels with few recordings (some have one) are weak; see the table of labels."
        + (
            f" These begin no events of themselves: {', '.join(manifest['weak_labels'])}."
            if manifest["weak_labels"]
            else ""
        ),
        "A score is calibrated over made mixtures of the training sets' kind; elsewhere 0.5 may mean other odds.",
        "Speech and Music are told apart from other sounds, not who speaks or what is played.",
        "Sung words, sounds under water and sounds far below the rest of a scene are hardly covered.",
        "Not made for alarms on which life depends.",
    ]


def _place(folder: Path, target: Path) -> None:
    """Copy the finished files over whatever bundle is in `target`."""
    shutil.rmtree(target / TENSORRT, ignore_errors=True)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        there = target / path.relative_to(folder)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, there)


def _labels_csv(labels: LabelTable, path: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["index", "name", "mid"])
    writer.writerows(zip(range(len(labels)), labels.names, labels.mids, strict=True))
    path.write_text(text.getvalue(), encoding="utf-8")


def bundle_entry(path: Path, precision: str) -> dict[str, Any]:
    """Return a file's entry in the manifest; a graph's, which has a precision, says what goes in and comes out."""
    content = path.read_bytes()
    entry: dict[str, Any] = {"sha256": sha256(content).hexdigest(), "bytes": len(content)}
    if precision:
        inputs, outputs = graphs.ends(path)
        entry |= {"precision": precision, "inputs": inputs, "outputs": outputs}
    return entry
