"""The thresholds that a bundle asks for: higher where a label begins without its sound, out of reach if it is weak."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from streamtag.settings import DEFAULT_OFF, DEFAULT_ON
from train.alarms import MOST_OF_A_LABEL, Stream
from train.clipset import ClipSet
from train.export.alarms import OFF_SHARE, Absent, Scores, Thresholds, is_quiet, raised_thresholds
from train.labels import LabelTable
from train.labels.table import SILENCE

__all__ = ["OUT_OF_REACH", "as_manifest", "asked", "labelled_streams"]
_MOST_OF_CLIPS = 1.0
"""Onsets a minute in short clips, full of sounds that resemble the label's."""
OUT_OF_REACH = 1.0


def labelled_streams(clips: ClipSet, scores: Scores, labels: LabelTable) -> tuple[list[Scores], list[Absent]]:
    """Return each clip's patch scores, and which labels are certainly not in it."""
    streams, absences = [], []
    for row, absent in enumerate(~clips.truth & ~clips.unsure(labels)):
        if SILENCE in labels.names and is_quiet(clips.patches[clips.owner == row]).any():
            absent[labels.index(SILENCE)] = False
        streams.append(scores[clips.owner == row])
        absences.append(absent)
    return streams, absences


def asked(
    labels: LabelTable, clips: tuple[list[Scores], list[Absent]] | None, listened: Sequence[Stream], weak: Sequence[str]
) -> Thresholds:
    """Return the `on` of each label, float32 [labels].

    Args:
        labels: the labels.
        clips: patch scores of labelled clips that nothing learnt, and what is certainly not in them.
        listened: recordings without labels that nothing learnt.
        weak: labels that begin no events of themselves.
    """
    on = np.full(len(labels), DEFAULT_ON, np.float32)
    if clips:
        on = raised_thresholds(*clips, on, _MOST_OF_CLIPS)
    if listened:
        streams, absences = [stream.scores for stream in listened], [stream.absent for stream in listened]
        on = raised_thresholds(streams, absences, on, MOST_OF_A_LABEL)
    on[[labels.index(name) for name in weak]] = OUT_OF_REACH
    return on


def as_manifest(labels: LabelTable, on: Thresholds) -> dict[str, Any]:
    """Return thresholds as a manifest holds them: those of all labels, and of the labels that have others."""
    pairs = {}
    for name, value in zip(labels.names, on.tolist(), strict=True):
        if value >= OUT_OF_REACH:
            pairs[name] = {"on": OUT_OF_REACH, "off": OUT_OF_REACH}
        elif value > DEFAULT_ON + 0.01:
            pairs[name] = {"on": round(value, 2), "off": round(value * OFF_SHARE, 2)}
    return {"on": DEFAULT_ON, "off": DEFAULT_OFF, "labels": pairs}
