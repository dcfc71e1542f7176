"""What more sources bring: a shallow network on what the teachers hear, fitted on shares of the sources and set by set.

How good a model gets that they teach is bounded by what can be told from what they hear. That is fitted in a minute,
where a network takes hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from streamtag.errors import ConfigError
from train.clipset import ClipSet, clip_means
from train.data.clips import Clip
from train.data.sets import Collection
from train.ears import Ears, contexts
from train.experiments.shares import SHARES, share_name, share_of
from train.experiments.transfer import HIDDEN, STEPS, shallow
from train.experiments.trial import machine
from train.labels import LabelTable
from train.metrics import measure
from train.prepare import say
from train.settings import Settings

_CLIPS = 200
"""That are in memory at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """Recordings, and what the teachers hear in their patches.

    Attributes:
        clips: the recordings.
        features: float16 [patches, d].
        owner: int [patches], the clip of each patch.
        truth: bool [clips, labels].
    """

    clips: tuple[Clip, ...]
    features: NDArray[np.float16]
    owner: NDArray[np.intp]
    truth: NDArray[np.bool_]

    @classmethod
    def of(cls, clips: Sequence[Clip], labels: LabelTable, ears: Ears) -> "_Heard":
        kept: list[Clip] = []
        features, owners, truth = [], [], []
        for first in range(0, len(clips), _CLIPS):
            known = ClipSet.of(clips[first : first + _CLIPS], labels)
            counts = np.bincount(known.owner, minlength=len(known.clips))
            around = [contexts(sound, int(count)) for sound, count in zip(known.sounds, counts, strict=True)]
            sounds, at = (np.concatenate(parts) for parts in zip(*around, strict=True))
            features.append(ears.features(sounds, at, known.patches))
            owners.append(known.owner + len(kept))
            truth.append(known.truth)
            kept += known.clips
            say(f"heard: {len(kept)} of {len(clips)} recordings")
        return cls(tuple(kept), np.concatenate(features), np.concatenate(owners), np.concatenate(truth))

    def judged(self, scores: NDArray[np.float32]) -> str:
        """Return top-1 and mAP of the recordings, by the mean over their patches, as two fields of a table."""
        means = clip_means(scores, self.owner, len(self.clips))
        columns = self.truth.any(axis=0)
        found = measure(means[:, columns], self.truth[:, columns])
        return f"{found.top_1:.3f} | {found.map:.3f}"


def sources(settings: Settings, collection: Collection) -> str:
    """Compare what is learnt from shares of the sources, and from the sets one after the other."""
    parts = collection.split
    if settings.teacher is None or not parts.fold or not parts.held:
        raise ConfigError("the experiment on sources needs [teacher], [data] test_fold and held")
    ears = Ears(settings.teacher.yamnet, settings.teacher.mn04)
    named = [clip for clip in parts.train if clip.labels]
    known, fold, held = (_Heard.of(clips, collection.labels, ears) for clips in (named, parts.fold, parts.held))
    unseen = np.concatenate([fold.features, held.features]).astype(np.float32)
    lines = [
        "# Sources",
        "",
        f"A shallow network ({HIDDEN} units) on what the published YAMNet and mn04 hear in a patch and in the three "
        "seconds around it: what the packaged models' teacher reads, of recordings as they are. It learns from shares "
        "of each label's sources, and from the sets one after the other. Clip score = mean of patches; judged on "
        f"{len(held.clips)} recordings of repositories that are held back whole, and on fold {settings.data.test_fold} "
        "of ESC-50.",
        "",
        "| learnt from | recordings | sources | held back: top-1 | mAP | fold: top-1 | mAP |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, clips in _conditions(known.clips, settings):
        chosen = {(clip.dataset, clip.name) for clip in clips}
        rows = np.array([(clip.dataset, clip.name) in chosen for clip in known.clips])[known.owner]
        say(f"== {name}")
        scores = shallow(
            known.features[rows].astype(np.float32), known.truth[known.owner[rows]], unseen, settings.fit.seed
        )
        judged = f"{held.judged(scores[len(fold.features) :])} | {fold.judged(scores[: len(fold.features)])}"
        lines.append(f"| {name} | {len(clips)} | {len({clip.source for clip in clips})} | {judged} |")
    lines += ["", f"{STEPS} steps, seed {settings.fit.seed}; {machine()}; {datetime.now(UTC):%Y-%m-%d}.", ""]
    return "\n".join(lines)


def _conditions(clips: Sequence[Clip], settings: Settings) -> list[tuple[str, list[Clip]]]:
    """Return by name what is learnt from."""
    shares = [
        (f"{share_name(share)} of the sources", share_of(clips, share, settings.data.split_seed)) for share in SHARES
    ]
    sets = list(dict.fromkeys(clip.dataset for clip in clips))
    until = [
        (f"{'… and ' if number else ''}{name}", [clip for clip in clips if clip.dataset in sets[: number + 1]])
        for number, name in enumerate(sets)
    ]
    return [*shares, *until[:-1]]
