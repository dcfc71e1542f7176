"""Which clips train, which calibrate and which are only ever judged on: by source, never by clip."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from streamtag.errors import ConfigError
from train.data.clips import Clip

Licences = Literal["all", "free", "permissive"]
"""Which recordings may be used: all; those that anybody may use and share; the same without share-alike ones."""

_PERMISSIVE = (
    "CC0", "CC BY", "CREATIVE COMMONS ATTRIBUTION", "CREATIVECOMMONS ORG LICENSES BY", "PUBLIC DOMAIN", "PUBLICDOMAIN",
    "PD", "MIT", "BSD", "APACHE", "UNLICENSE", "ISC", "ZLIB", "WTFPL", "GENERALUSER GS",
)  # fmt: skip
_SHARE_ALIKE = (
    "GPL", "LGPL", "AGPL", "GENERAL PUBLIC LICENSE", "GENERAL PUBLIC LICENCE", "CC BY SA", "BY SA", "SHARE ALIKE",
    "SHAREALIKE", "FREE ART", "FAL", "ARTISTIC", "MPL",
)  # fmt: skip
_UNFREE = (
    "NC", "ND", "SAMPLING", "NON COMMERCIAL", "NONCOMMERCIAL", "NO DERIVATIVES", "NODERIVATIVES", "NODERIVS",
    "PROPRIETARY",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Split:
    """Four parts without a common source.

    Attributes:
        train: what the weights see.
        calibration: held back from training to set the scores' scale.
        fold: the clips of the test fold.
        others: recordings of other origin held back for judging.
        held: the recordings of whole repositories that are held back.
    """

    train: tuple[Clip, ...]
    calibration: tuple[Clip, ...]
    fold: tuple[Clip, ...]
    others: tuple[Clip, ...]
    held: tuple[Clip, ...] = ()


def _plain(licence: str) -> str:
    """Return a licence in capitals, its words parted by single blanks: "CC-BY-SA 3.0+" becomes "CC BY SA 3 0"."""
    return " ".join(re.sub(r"[^A-Z0-9]+", " ", licence.upper()).split())


def _names(words: str, kinds: Iterable[str]) -> bool:
    """Return whether plain words name one of the kinds, with or without a version: "GPL", "GPLV3", "GPL 2"."""
    return any(re.search(rf"\b{kind}(V?\d+)?\b", words) for kind in kinds)


def is_free(licence: str) -> bool:
    """Return whether a licence lets anybody use and share what is made from the clip, share-alike ones included.

    CC0, CC BY, MIT and the like; GPL, LGPL, CC BY-SA, Free Art, Artistic. A clip may stand under several: "A / B".
    """
    words = _plain(licence)
    return _names(words, (*_PERMISSIVE, *_SHARE_ALIKE)) and not _names(words, _UNFREE)


def is_share_alike(licence: str) -> bool:
    """Return whether a licence asks that what is made from the clip be shared alike, in any of its parts."""
    return _names(_plain(licence), _SHARE_ALIKE)


def allowed(licence: str, licences: Licences) -> bool:
    """Return whether a clip of that licence may be used."""
    if licences == "all":
        return True
    return is_free(licence) and (licences == "free" or not is_share_alike(licence))


def origin(clip: Clip) -> str:
    """Return what a clip was cut from: a Freesound recording, as ESC-50 writes it, where its credit names one.

    Files of one Freesound recording stand under several names in collections of other people.
    """
    named = re.search(r"freesound\D{0,12}(\d+)", clip.credit, re.IGNORECASE)
    return f"freesound {named[1]}" if named else clip.source


def _order(seed: int, text: str) -> str:
    return sha256(f"{seed}:{text}".encode()).hexdigest()


def _pick(clips: Iterable[Clip], share: float, least: int, most: int, seed: int) -> set[str]:
    """Return a share of each label's sources, of labels with at least `least` sources, at most `most` a label."""
    by_label: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        for label in clip.labels:
            by_label[label].add(clip.source)
    picked: set[str] = set()
    for label in sorted(by_label):
        sources = sorted(by_label[label], key=lambda source: _order(seed, source))
        if len(sources) >= least:
            picked.update(sources[: min(most, max(1, round(share * len(sources))))])
    return picked


def split(
    clips: Iterable[Clip],
    *,
    test_fold: int,
    licences: Licences,
    others_share: float,
    calibration_share: float,
    seed: int,
    held_repositories: Collection[str] = (),
) -> Split:
    """Part the clips.

    Args:
        clips: of all sets; impulse responses are left out.
        test_fold: the fold that is only judged on, 0 for none. A source with a clip in it trains nothing.
        licences: which clips may train and calibrate.
        others_share: share of each label's sources in the sets without folds that is held back, of labels with at
            least 7 sources; at most 3 sources a label.
        calibration_share: the like over all that is left, of labels with at least 8 sources; at most 3 a label.
        seed: of the choice.
        held_repositories: of which nothing trains or calibrates.

    Raises:
        ConfigError: no clip is of `test_fold`, or of a repository that is to be held back.
    """
    sounds = [clip for clip in clips if clip.kind != "room"]
    fold = tuple(clip for clip in sounds if test_fold and clip.fold == test_fold)
    if test_fold and not fold:
        folds = ", ".join(str(number) for number in sorted({clip.fold for clip in sounds} - {0})) or "none"
        raise ConfigError(f"[data] test_fold = {test_fold}: no clip is of that fold; folds here: {folds}")
    for repository in held_repositories:
        if not any(clip.repository == repository for clip in sounds):
            raise ConfigError(f"[data] held: no clip is of repository {repository!r}")
    apart = tuple(clip for clip in sounds if clip.repository in held_repositories)
    tested = {origin(clip) for clip in (*fold, *apart)}
    rest = [
        clip
        for clip in sounds
        if origin(clip) not in tested and clip.repository not in held_repositories and allowed(clip.licence, licences)
    ]
    foreign = [clip for clip in rest if not clip.fold and clip.labels]
    held = _pick(foreign, others_share, 7, 3, seed) if others_share else set()
    others = tuple(clip for clip in foreign if clip.source in held)
    rest = [clip for clip in rest if clip.source not in held]
    labelled = [clip for clip in rest if clip.labels]
    kept_out = _pick(labelled, calibration_share, 8, 3, seed + 1) if calibration_share else set()
    train = tuple(clip for clip in rest if clip.source not in kept_out)
    learnt = {origin(clip) for clip in train}
    return Split(
        train=train,
        calibration=tuple(clip for clip in labelled if clip.source in kept_out and origin(clip) not in learnt),
        fold=fold,
        others=one_a_source(clip for clip in others if origin(clip) not in learnt),
        held=tuple(clip for clip in apart if clip.labels and origin(clip) not in learnt),
    )


def one_a_source(clips: Iterable[Clip]) -> tuple[Clip, ...]:
    """Return at most one clip of each source and label."""
    seen: Counter[tuple[str, tuple[str, ...]]] = Counter()
    chosen = []
    for clip in clips:
        seen[clip.source, clip.labels] += 1
        if seen[clip.source, clip.labels] == 1:
            chosen.append(clip)
    return tuple(chosen)
