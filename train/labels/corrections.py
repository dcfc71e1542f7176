"""Labels of published recordings that are known to be wrong, and what stands in their place."""

import csv
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from train.data.clips import Clip
from train.data.split import Split

__all__ = ["corrected", "corrections"]


@cache
def corrections() -> dict[str, tuple[str, ...]]:
    """Return the right labels of recordings by name, as `Clip.name` says it; empty where a recording is to be left out.

    `train/labels/corrections.csv` holds them: set, file, labels parted by ";", and why.
    """
    with Path(__file__).with_name("corrections.csv").open(newline="", encoding="utf-8") as file:
        return {
            f"{row['set']}/{row['file']}": tuple(label.strip() for label in row["labels"].split(";") if label.strip())
            for row in csv.DictReader(file)
        }


def corrected(parts: Split) -> Split:
    """Return the parts with right labels; who stands in which part does not change by it."""

    def right(clips: Iterable[Clip]) -> tuple[Clip, ...]:
        known = corrections()
        found = [replace(clip, labels=known.get(clip.name, clip.labels)) for clip in clips]
        return tuple(clip for clip in found if clip.labels or clip.name not in known)

    return Split(
        train=right(parts.train),
        calibration=right(parts.calibration),
        fold=right(parts.fold),
        others=right(parts.others),
        held=right(parts.held),
    )
