"""Whole recordings to be judged on: patches, and clip scores as the mean over patches (Hershey et al., section 4)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamtag.audio.frontend import PATCH_HOP, PATCH_SAMPLES, count_patches, log_mel
from train.data.clips import Clip, load_all
from train.labels import LabelTable
from train.labels.related import implied, unsure_with
from train.metrics import Metrics, measure

Score = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Patches float32 [n, 96, 64] to scores float32 [n, labels]."""


def clip_means(scores: NDArray[np.float32], owner: NDArray[np.intp], clips: int) -> NDArray[np.float32]:
    """Return clip scores [clips, labels] from patch scores [patches, labels] and the clip of each patch."""
    sums = np.zeros((clips, scores.shape[1]), np.float64)
    np.add.at(sums, owner, scores)
    return (sums / np.bincount(owner, minlength=clips)[:, None]).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ClipSet:
    """Recordings, cut into patches by the runtime's own rule.

    Attributes:
        clips: which.
        sounds: samples of each.
        patches: float32 [patches, 96, 64] of all, one after the other.
        owner: int [patches], the clip of each patch.
        truth: bool [clips, labels].
        columns: the labels that at least one clip has.
    """

    clips: tuple[Clip, ...]
    sounds: tuple[NDArray[np.float32], ...]
    patches: NDArray[np.float32]
    owner: NDArray[np.intp]
    truth: NDArray[np.bool_]
    columns: NDArray[np.intp]
    skipped: tuple[str, ...]

    @classmethod
    def of(cls, clips: Sequence[Clip], labels: LabelTable, *, narrow: bool = False) -> "ClipSet":
        """Read the clips and cut them; with `narrow` labels that the table lacks are passed over.

        Raises:
            ConfigError: a clip has a label that the table lacks.
        """
        kept, sounds, skipped = load_all(clips)
        parts = [log_mel(sound) for sound in sounds]
        truth = np.zeros((len(kept), len(labels)), np.bool_)
        for row, clip in enumerate(kept):
            extra = [parent for name in clip.labels for parent in implied(name)]
            own = [name for name in clip.labels if name in labels.names or not narrow]
            truth[row, [labels.index(name) for name in (*own, *(set(extra) & set(labels.names)))]] = True
        return cls(
            tuple(kept),
            tuple(sounds),
            np.concatenate(parts) if parts else np.empty((0, 96, 64), np.float32),
            np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
            truth,
            np.flatnonzero(truth.any(axis=0)),
            tuple(skipped),
        )

    def unsure(self, labels: LabelTable) -> NDArray[np.bool_]:
        """Return the labels that each clip may deserve too, going by its own ones, bool [clips, labels]."""
        known = {name: index for index, name in enumerate(labels.names)}
        found = np.zeros_like(self.truth)
        for row, clip in enumerate(self.clips):
            others = {other for name in clip.labels for other in unsure_with(name)}
            found[row, [known[name] for name in others if name in known]] = True
        return found & ~self.truth

    def means(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return clip scores [clips, labels] from patch scores [patches, labels]."""
        return clip_means(scores, self.owner, len(self.clips))

    def judge(self, score: Score) -> Metrics:
        """Return the clip-level metrics among the labels that the set has."""
        clip_scores = self.means(score(self.patches))
        return measure(clip_scores[:, self.columns], self.truth[:, self.columns])


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One set of clips with a model's patch scores, float32 [patches, labels]."""

    name: str
    clips: ClipSet
    scores: NDArray[np.float32]


def windows_of(clips: ClipSet) -> NDArray[np.float32]:
    """Return the samples behind every patch of a set, float32 [patches, 15600], tails padded with zeros."""
    parts = []
    for sound in clips.sounds:
        whole, padded = count_patches(len(sound))
        room = np.zeros((whole + padded) * PATCH_HOP + PATCH_SAMPLES - PATCH_HOP, np.float32)
        room[: min(len(sound), len(room))] = sound[: len(room)]
        parts.append(np.stack([room[at * PATCH_HOP :][:PATCH_SAMPLES] for at in range(whole + padded)]))
    return np.concatenate(parts)
