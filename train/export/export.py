"""`python -m train export`: a run's averaged weights as a bundle."""

import json
import shutil
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from streamtag.audio.frontend import PATCH_SAMPLES, log_mel_windows, parameters
from streamtag.bundle import FORMAT, Bundle
from streamtag.foreign.bundle_folder import write_labels
from train.clipset import ClipSet
from train.data.bank import make_bank
from train.data.clips import load_all
from train.data.render import render
from train.data.sets import Collection, collect
from train.evaluate import told_apart
from train.export import graphs
from train.export.blocked import block
from train.export.calibrate import calibrate, unchanged
from train.export.card import credits_of, write_card
from train.export.description import bundle_entry, data_of, limits_of
from train.export.held_back import judge
from train.export.modules import FromWaveform, HalfBody, Scores
from train.export.reliability import known_of
from train.fit import test_sets
from train.labels import LabelTable
from train.loop import trained_network, went_on
from train.metrics import Metrics, measure
from train.networks.blocks import Classifier
from train.networks.counts import multiplies, weights
from train.prepare import say
from train.settings import Settings

CALIBRATION_WINDOWS = 6000
_QUANTISE_WINDOWS = 600
_LEAST_WINDOWS = 300
"""Of recordings as they are, to set the scores' scale by; with fewer it is set by made ones."""
TENSORRT = "tensorrt"
_INT8_MAY_COST = 0.5
_APART = ("Speech", "Music", "Silence")


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
    settings, origin = went_on(settings)
    collection = collect(settings.data)
    labels = collection.labels
    network, step = trained_network(settings, labels.names)
    patches, truth, counts = made_windows(collection, settings, windows)
    tests = test_sets(collection)
    softmax = settings.fit.loss == "softmax"
    real, right, known = _to_calibrate(tests, labels) or (patches, truth, counts)
    logits = logits_of(network, real)
    calibration = unchanged(logits, right, known) if softmax else calibrate(logits, right, known, network.competition)
    network.competition = calibration.competition
    say(f"calibration: x {calibration.scale:.3f} {calibration.bias:+.3f}, labels compete in {network.competition:.2f}, "
        f"error {calibration.error_before:.3f} -> {calibration.error_after:.3f}")  # fmt: skip
    scores = Scores(network, calibration.scale, calibration.bias, softmax=softmax)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        precisions = _graphs(scores, patches, folder, tensorrt=tensorrt)
        parity, made, quantised = _parity(scores, folder, patches, truth & counts)
        data = data_of(collection, settings, step, origin, note)
        graph = folder / ("model.int8.onnx" if parity["int8_map_points_lost"] <= _INT8_MAY_COST else "model.onnx")
        judged = judge(graph, tests, labels, settings, data["labels"])
        metrics = judged["metrics"]
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
            **judged,
            "parity": parity,
            "judged_by": graph.name,
            "data": data,
        }
        write_labels(folder, labels.names, labels.mids)
        card = write_card(manifest, credits_of(collection.split.train), limits_of(manifest))
        (folder / "card.md").write_text(card, encoding="utf-8")
        manifest["files"] = {file: bundle_entry(folder / file, precision) for file, precision in precisions.items()}
        manifest["files"]["labels.csv"] = bundle_entry(folder / "labels.csv", "")
        manifest["files"]["card.md"] = bundle_entry(folder / "card.md", "")
        (folder / "manifest.json").write_text(
            json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        _publish(folder, target)
    return Bundle.open(target)


def _to_calibrate(
    tests: dict[str, ClipSet], labels: LabelTable
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Return patches, truth and known labels of the calibration recordings as they are; None where they are too few."""
    clips = tests.get("calibration")
    if clips is None or len(clips.patches) < _LEAST_WINDOWS:
        return None
    return clips.patches, *known_of(clips, labels)


def _graphs(scores: Scores, patches: NDArray[np.float32], folder: Path, *, tensorrt: bool) -> dict[str, str]:
    """Write all graphs; return each file's precision."""
    chosen = np.random.default_rng(0).choice(len(patches), min(_QUANTISE_WINDOWS, len(patches)), replace=False)
    sample = patches[chosen][:, None]
    patch, window = torch.zeros(2, 1, *patches.shape[1:]), torch.zeros(2, PATCH_SAMPLES)
    graphs.write_graph(scores, patch, "patches", folder / "model.onnx")
    graphs.quantise(folder / "model.onnx", folder / "model.int8.onnx", "patches", sample, symmetric=False)
    graphs.write_graph(FromWaveform(scores), window, "waveform", folder / "waveform.onnx")
    for name in ("model.onnx", "waveform.onnx"):
        block(folder / name)
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


def _publish(folder: Path, target: Path) -> None:
    """Copy the finished files over whatever bundle is in `target`."""
    shutil.rmtree(target / TENSORRT, ignore_errors=True)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        there = target / path.relative_to(folder)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, there)
