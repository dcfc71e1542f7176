"""False alarms of a bundle on a folder of recordings that nothing was trained on, sorted by kinds of sound."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamtag.audio.frontend import log_mel
from streamtag.bundle import Bundle
from streamtag.errors import ConfigError, InputError
from streamtag.events import EventRules
from streamtag.settings import EventSettings
from train.data.clips import Clip, load
from train.data.folders import read_folders
from train.evaluate import bundle_scorer
from train.export.alarms import PATCH_MINUTES, Absent, Scores, Thresholds, false_onsets, is_quiet
from train.labels.kinds import may_be_in
from train.labels.table import SILENCE
from train.prepare import say

__all__ = ["MOST_IN_ALL", "MOST_OF_A_LABEL", "Alarms", "Stream", "as_text", "count", "false_alarms", "streams_of"]
MOST_OF_A_LABEL, MOST_IN_ALL = 0.2, 2.0
"""Onsets a minute that a label, and all labels together, are to stay below."""
_SHOWN = 20


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """A recording of which it is known what is not in it.

    Attributes:
        kind: of sound, a name of `train/labels/kinds.csv`.
        scores: of its patches, float32 [patches, labels].
        absent: bool [labels], the labels that are certainly not in it.
    """

    kind: str
    scores: Scores
    absent: Absent


@dataclass(frozen=True, slots=True)
class Alarms:
    """Onsets of labels in audio without them.

    Attributes:
        recordings: how many.
        minutes: of all recordings.
        onsets: of all labels together.
        kinds: minutes and onsets by kind.
        labels: minutes without the label, and its onsets there, for each label, most onsets a minute first.
    """

    recordings: int
    minutes: float
    onsets: int
    kinds: dict[str, tuple[float, int]]
    labels: dict[str, tuple[float, int]]

    def over(self) -> list[str]:
        """Return the labels that begin too often."""
        return [label for label, found in self.labels.items() if _rate(found) >= MOST_OF_A_LABEL]

    def as_dict(self) -> dict[str, Any]:
        """Return everything by name, labels without an onset left out."""
        return {
            "recordings": self.recordings,
            "minutes": round(self.minutes, 1),
            "onsets_a_minute": round(_rate((self.minutes, self.onsets)), 3),
            "labels_over": self.over(),
            "kinds": _described(self.kinds),
            "labels": _described({label: found for label, found in self.labels.items() if found[1]}),
        }


def _rate(found: tuple[float, int]) -> float:
    minutes, onsets = found
    return onsets / minutes if minutes else 0.0


def _described(rows: dict[str, tuple[float, int]]) -> dict[str, dict[str, float]]:
    return {
        name: {"minutes": round(found[0], 1), "onsets": found[1], "onsets_a_minute": round(_rate(found), 3)}
        for name, found in rows.items()
    }


def _recordings(folder: Path) -> Iterator[tuple[str, Clip]]:
    """Yield each recording with its kind; unknown kinds are refused before anything is read."""
    clips = read_folders(folder, folder.name)
    for kind in sorted({clip.labels[0] for clip in clips}):
        may_be_in(kind)
    for clip in clips:
        yield clip.labels[0], clip


def streams_of(folder: Path, score: Callable[[Scores], Scores], names: Sequence[str]) -> list[Stream]:
    """Score a folder of recordings: `FOLDER/KIND/recording.ogg`.

    Args:
        folder: of one folder a kind.
        score: patches float32 [n, 96, 64] to scores float32 [n, labels].
        names: of the labels, in their order.

    Raises:
        ConfigError: there is no recording that can be read, or a kind is unknown.
    """
    found = []
    for kind, clip in _recordings(folder):
        try:
            patches = log_mel(load(clip))
        except InputError as error:
            say(f"skipped: {error}")
            continue
        possible = may_be_in(kind) | ({SILENCE} if is_quiet(patches).any() else set())
        found.append(Stream(kind, score(patches), np.array([name not in possible for name in names])))
    if not found:
        raise ConfigError(f"{folder}: no recording in it can be read")
    return found


def count(streams: Sequence[Stream], names: Sequence[str], on: Thresholds, off: Thresholds) -> Alarms:
    """Count the onsets of labels in recordings without them.

    Args:
        streams: the recordings.
        names: of the labels, in their order.
        on: float32 [labels], at which an event begins.
        off: float32 [labels], below which it ends.
    """
    minutes, onsets = np.zeros(len(names)), np.zeros(len(names), np.int_)
    by_kind: dict[str, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    for stream in streams:
        length = len(stream.scores) * PATCH_MINUTES
        counted = false_onsets(stream.scores, stream.absent, on, off)
        minutes += stream.absent * length
        onsets += counted
        before = by_kind[stream.kind]
        by_kind[stream.kind] = (before[0] + length, before[1] + int(counted.sum()))
    labels = {name: (float(minutes[at]), int(onsets[at])) for at, name in enumerate(names)}
    return Alarms(
        recordings=len(streams),
        minutes=sum(length for length, _ in by_kind.values()),
        onsets=int(onsets.sum()),
        kinds=dict(by_kind),
        labels=dict(sorted(labels.items(), key=lambda item: -_rate(item[1]))),
    )


def false_alarms(folder: Path, bundle: Bundle) -> Alarms:
    """Count a bundle's false alarms at its own thresholds.

    Raises:
        StreamtagError: the folder or the bundle cannot be read.
    """
    score = bundle_scorer(bundle)
    rules = EventRules(bundle.label_set, EventSettings())
    on = np.array([rule.on for rule in rules.of_label], np.float32)
    off = np.array(rules.off, np.float32)
    return count(streams_of(folder, score, bundle.labels), bundle.labels, on, off)


def as_text(bundle: str, alarms: Alarms) -> str:
    """Return what was counted as Markdown: all labels, the kinds, the worst labels."""
    total = _rate((alarms.minutes, alarms.onsets))
    over = alarms.over()
    worst = [(label, found) for label, found in alarms.labels.items() if found[1]][:_SHOWN]
    return "\n".join(
        [
            f"{bundle}: {alarms.recordings} recordings, {alarms.minutes:.1f} minutes; {total:.2f} onsets a minute of "
            f"labels that are not in them (to stay below {MOST_IN_ALL:g}); labels at {MOST_OF_A_LABEL:g} or more: "
            f"{', '.join(over) or 'none'}.",
            "",
            *_table("kind", "minutes", list(alarms.kinds.items())),
            "",
            *_table("label", "minutes without it", worst),
        ]
    )


def _table(first: str, minutes: str, rows: Sequence[tuple[str, tuple[float, int]]]) -> list[str]:
    return [
        f"| {first} | {minutes} | onsets | a minute |",
        "|---|---|---|---|",
        *(f"| {name} | {found[0]:.1f} | {found[1]} | {_rate(found):.3f} |" for name, found in rows),
    ]
