"""Shares of the sources, for what is compared over how much there is to learn from."""

from collections.abc import Sequence
from hashlib import sha256

from train.data.clips import Clip

SHARES = (1.0, 0.5, 0.25, 0.1)


def share_name(share: float) -> str:
    """Return a share as it stands in tables."""
    return f"{share:.0%}".replace("%", " %")


def share_of(clips: Sequence[Clip], share: float, seed: int) -> list[Clip]:
    """Return a share of each label's sources, at least one."""
    sources: dict[tuple[str, ...], list[str]] = {}
    for clip in clips:
        sources.setdefault(clip.labels, []).append(clip.source)
    kept: set[tuple[tuple[str, ...], str]] = set()
    for labels, names in sources.items():
        order = sorted(set(names), key=lambda name: sha256(f"{seed}:{name}".encode()).hexdigest())
        kept.update((labels, name) for name in order[: max(1, round(share * len(order)))])
    return [clip for clip in clips if (clip.labels, clip.source) in kept]
