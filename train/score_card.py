"""`python -m train evaluate --folder`: models side by side on a folder of recordings by label."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtag.errors import ConfigError
from train.clipset import ClipSet
from train.data.sets import read_set
from train.judges import Judge, Scores
from train.labels import LabelTable, one_spelling, plain_name
from train.metrics import measure
from train.prepare import say


def recordings(folder: Path) -> tuple[ClipSet, tuple[str, ...]]:
    """Return a folder's labelled recordings and the labels that they have.

    Raises:
        ConfigError: no recording is there that can be read, or one label stands there in two spellings.
    """
    clips = [clip for clip in read_set(folder, folder.name) if clip.labels and clip.kind == "sound"]
    names = tuple(sorted({label for clip in clips for label in clip.labels}))
    one_spelling(names)
    found = ClipSet.of(clips, LabelTable(names))
    for line in found.skipped:
        say(f"skipped: {line}")
    if not found.clips:
        raise ConfigError(f"{folder}: no recording to judge on: a folder a label is wanted, or a table of its name")
    return found, names


def score_card(folder: Path, models: Sequence[Judge]) -> dict[str, Any]:
    """Judge models on a folder: each on the labels that it can name, and all on those that all can name.

    A clip's scores are compared among those labels alone; clips that have none of them are left out.

    Raises:
        ConfigError: there is nothing to judge on, or no model can name any label.
    """
    clips, names = recordings(folder)
    columns = [_columns(model.labels, names) for model in models]
    common = np.array([index for index in range(len(names)) if all(index in found for found in columns)], np.intp)
    unnamed = [name for index, name in enumerate(names) if not any(index in found for found in columns)]
    if len(unnamed) == len(names):
        raise ConfigError(f"{folder}: no model can name any of its labels: {', '.join(names[:5])} ...")
    rows = []
    for model, found in zip(models, columns, strict=True):
        scores = model.score(clips)[:, list(found.values())]
        own = np.array(list(found), np.intp)
        rows.append(
            {
                "model": model.name,
                "labels": len(found),
                "cannot_name": [name for index, name in enumerate(names) if index not in found],
                "own": _judged(scores, clips.truth, own, own),
                "common": _judged(scores, clips.truth, own, common),
            }
        )
    return {
        "folder": str(folder),
        "clips": len(clips.clips),
        "labels": len(names),
        "common_labels": [names[index] for index in common],
        "unnamed": unnamed,
        "skipped": list(clips.skipped),
        "models": rows,
    }


def _columns(labels: Sequence[str], names: Sequence[str]) -> dict[int, int]:
    """Return the places of the names that a model has, each with the column of its scores."""
    theirs = {plain_name(label): column for column, label in enumerate(labels)}
    return {index: theirs[plain_name(name)] for index, name in enumerate(names) if plain_name(name) in theirs}


def _judged(
    scores: Scores, truth: NDArray[np.bool_], own: NDArray[np.intp], wanted: NDArray[np.intp]
) -> dict[str, float | None] | None:
    """Return the metrics on the wanted labels of what a model can name, None where it can name none of them."""
    if not len(wanted):
        return None
    rows = truth[:, wanted].any(axis=1)
    return measure(scores[rows][:, np.searchsorted(own, wanted)], truth[rows][:, wanted]).as_dict()


def as_markdown(card: dict[str, Any]) -> str:
    """Return a score card as a Markdown table."""
    common = len(card["common_labels"])
    lines = [
        f"{card['clips']} recordings, {card['labels']} labels; {common} of these every model can name.",
        "",
        "| model | labels it can name | clips | top-1 | mAP | d' | on all models' labels: clips | top-1 | mAP | d' |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in card["models"]:
        cells = [cell for part in (row["own"], row["common"]) for cell in _cells(part)]
        lines.append(f"| {row['model']} | {row['labels']} | {' | '.join(cells)} |")
    if card["unnamed"]:
        lines += ["", f"No model can name: {', '.join(card['unnamed'])}."]
    return "\n".join(lines)


def _cells(found: dict[str, float | None] | None) -> list[str]:
    if found is None:
        return ["-"] * 4
    figures = [found[key] for key in ("top_1", "map", "d_prime")]
    return [f"{found['items']:.0f}", *("-" if figure is None else f"{figure:.3f}" for figure in figures)]
