"""What a bundle says of itself: the data and settings that made it, its limits, its labels, and each file's entry."""

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from train.data.clips import Clip
from train.data.sets import Collection
from train.export import graphs
from train.last_layer import FITTED
from train.settings import Settings

__all__ = ["bundle_entry", "data_of", "limits_of", "sources_by_label"]


def data_of(
    collection: Collection, settings: Settings, step: int, origin: dict[str, Any] | None, note: str
) -> dict[str, Any]:
    """Return what a network was trained on and how, for the manifest and the card.

    Args:
        collection: its recordings.
        settings: of the run.
        step: how many steps it took.
        origin: of the bundle that it went on from (`train.from_bundle.description_of`), if from one.
        note: further text.
    """
    parts = collection.split
    made = "within three seconds mixed from one to three recordings with changes of speed, level, colour, room, codec "
    made += "and noise"
    method = [f"It went on from the bundle {origin['bundle']}. "] if origin else [""]
    if step or not origin:
        method[0] += f"Trained for {step} steps of {settings.fit.batch} patches of 960 ms, each {made}."
    else:
        method[0] += f"All but the last layer is as it was there. Mixed windows are patches {made}."
    if settings.teacher and step:
        method[0] += (
            " Targets are the recordings' own labels and the scores of a teacher: a head trained on the same windows "
            "on what the published YAMNet and EfficientAT's mn04 hear in the patch and in the three seconds around it. "
            "The network also learns to predict what these two hear."
        )
        if settings.teacher.elder:
            method[0] += f" The network of the run `{settings.teacher.elder.name}` taught it too."
    if (settings.output / FITTED).is_file():
        method[0] += " The last layer was fitted last, on recordings as they are and on some of the mixed windows."
    mn04 = origin["mn04"] if origin else settings.fit.weights is not None
    method += [
        "",
        "It began with the weights of EfficientAT's mn04 (Schmid, Koutini, Widmer, ICASSP 2023), under the MIT "
        "licence, copyright 2022 Florian Schmid, which is at the end."
        if mn04
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
        "mn04": mn04,
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


def limits_of(manifest: dict[str, Any]) -> list[str]:
    """Return what a model cannot, in sentences for its card."""
    return [
        "Labels with few recordings (some have one) are weak; see the table of labels."
        + (
            f" These begin no events of themselves: {', '.join(manifest['weak_labels'])}."
            if manifest["weak_labels"]
            else ""
        ),
        "A score is calibrated over recordings of the training sets' kind; elsewhere 0.5 may mean other odds.",
        "Speech and Music are told apart from other sounds, not who speaks or what is played.",
        "Sung words, sounds under water and sounds far below the rest of a scene are hardly covered.",
        "Not made for alarms on which life depends.",
    ]


def bundle_entry(path: Path, precision: str) -> dict[str, Any]:
    """Return a file's entry in the manifest; a graph's, which has a precision, says what goes in and comes out."""
    content = path.read_bytes()
    entry: dict[str, Any] = {"sha256": sha256(content).hexdigest(), "bytes": len(content)}
    if precision:
        inputs, outputs = graphs.ends(path)
        entry |= {"precision": precision, "inputs": inputs, "outputs": outputs}
    return entry
