"""The recordings at hand while windows are rendered: sound, label indices, where each is active."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.data.clips import Clip
from train.data.effects import Sound, loudest
from train.labels import LabelTable, unsure_with
from train.labels.related import implied

_FRAME = 400


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One recording: samples, its certain and its unsure labels, and where it is within 20 dB of its loudest part."""

    sound: Sound
    positive: NDArray[np.intp]
    unsure: NDArray[np.intp]
    active: NDArray[np.intp]
    level: float


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """All recordings, drawn by label."""

    entries: tuple[Entry, ...]
    by_label: tuple[NDArray[np.intp], ...]
    weights: NDArray[np.float64]
    unlabelled: tuple[Entry, ...]
    rooms: tuple[Sound, ...]
    labels: LabelTable

    def draw(self, rng: np.random.Generator) -> Entry:
        """Return a recording of a label drawn with the bank's weights."""
        label = int(rng.choice(len(self.weights), p=self.weights))
        return self.entries[int(rng.choice(self.by_label[label]))]


def make_bank(
    clips: Sequence[Clip], sounds: Sequence[Sound], rooms: Sequence[Sound], labels: LabelTable, power: float
) -> Bank:
    """Return the bank of recordings; a label is drawn in proportion to its number of clips to the `power`."""
    entries: list[Entry] = []
    unlabelled: list[Entry] = []
    by_label: list[list[int]] = [[] for _ in range(len(labels))]
    for clip, sound in zip(clips, sounds, strict=True):
        entry = _entry(clip, sound, labels)
        if not clip.labels:
            unlabelled.append(entry)
            continue
        for name in clip.labels:
            by_label[labels.index(name)].append(len(entries))
        entries.append(entry)
    weights = np.array([len(members) for members in by_label], np.float64) ** power
    weights[[not members for members in by_label]] = 0.0
    return Bank(
        tuple(entries),
        tuple(np.array(members, np.intp) for members in by_label),
        weights / max(weights.sum(), 1e-9),
        tuple(unlabelled),
        tuple(room / np.sqrt(np.sum(room**2)) for room in rooms),
        labels,
    )


def _entry(clip: Clip, sound: Sound, labels: LabelTable) -> Entry:
    frames = sound[: max(1, len(sound) // _FRAME) * _FRAME].reshape(-1, min(_FRAME, len(sound)))
    energy = np.mean(frames**2, axis=1)
    active = np.flatnonzero(energy > energy.max() / 100) * _FRAME + _FRAME // 2
    known = {name: index for index, name in enumerate(labels.names)}
    sure = set(clip.labels) | {parent for name in clip.labels for parent in implied(name)}
    unsure = {other for name in clip.labels for other in unsure_with(name)} - sure
    if not clip.labels:
        unsure = set(labels.names)
    return Entry(
        sound,
        np.array(sorted(known[name] for name in sure if name in known), np.intp),
        np.array(sorted(known[name] for name in unsure if name in known), np.intp),
        active.astype(np.intp),
        loudest(sound),
    )
