"""What a scoring thread measures of itself, as histograms."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from streamtag.wire.messages import Histogram

__all__ = ["Measures", "ModelUse", "measured", "used"]

_BOUNDS: Final[dict[str, tuple[float, ...]]] = {
    "batch_patches": (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096),
    "inference_seconds": (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
    "publish_delay_seconds": (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
}
"""Highest value of each class but the last."""


class ModelUse(NamedTuple):
    """What a model was used for in a thread, or in all.

    Attributes:
        patches: how many it scored.
        seconds: how long front end and network took.
        bad_patches: how many scored what is no number.
    """

    patches: int = 0
    seconds: float = 0.0
    bad_patches: int = 0

    def more(self, patches: int, seconds: float, bad_patches: int) -> "ModelUse":
        """Return it with so much more; `bad_patches` are all so far."""
        return ModelUse(self.patches + patches, self.seconds + seconds, bad_patches)


class Measures:
    """Counts since the start; one thread adds, any may read what is a moment old."""

    def __init__(self) -> None:
        self._counts = {name: [0] * (len(bounds) + 1) for name, bounds in _BOUNDS.items()}
        self._sums = dict.fromkeys(_BOUNDS, 0.0)

    def add_batch(self, patches: int, seconds: float) -> None:
        """Count a batch: its patches, and how long front end and network took."""
        self._add("batch_patches", patches)
        self._add("inference_seconds", seconds)

    def add_delays(self, captured: Iterable[float], now: float) -> None:
        """Count patches that are published now, by when their last sample was captured, in Unix seconds."""
        for time in captured:
            self._add("publish_delay_seconds", max(0.0, now - time))

    def histogram(self, name: str) -> tuple[list[int], float]:
        """Return the counts of a measure's classes, and the sum of all its values."""
        return list(self._counts[name]), self._sums[name]

    def _add(self, name: str, value: float) -> None:
        self._counts[name][bisect_left(_BOUNDS[name], value)] += 1
        self._sums[name] += value


def measured(workers: Sequence[Measures]) -> dict[str, Histogram]:
    """Return the measures of all threads together, by name."""
    together = {}
    for name, bounds in _BOUNDS.items():
        each = [worker.histogram(name) for worker in workers]
        counts = [sum(column) for column in zip(*(counts for counts, _ in each), strict=True)]
        together[name] = Histogram(bounds=list(bounds), counts=counts, sum=sum(total for _, total in each))
    return together


def used(workers: Sequence[dict[str, ModelUse]]) -> dict[str, ModelUse]:
    """Return what all threads used each model for, by its name."""
    names = dict.fromkeys(name for each in workers for name in each)
    all_of = {name: [each.get(name, ModelUse()) for each in workers] for name in names}
    return {name: ModelUse(*map(sum, zip(*each, strict=True))) for name, each in all_of.items()}
