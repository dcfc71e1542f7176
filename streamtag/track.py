from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import PATCH_HOP, SAMPLE_RATE, Patch
from streamtag.events import Event, EventDetector
from streamtag.scores import RollingMean
from streamtag.settings import EventSettings

__all__ = ["Scores", "Track"]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What one patch of a stream scored."""

    start: float
    """Stream seconds of its first sample."""
    end: float
    """`start` + 0.96."""
    time: float
    """Unix seconds at which its last sample was captured."""
    rms_dbfs: float
    peak_dbfs: float
    patch: NDArray[np.float32]
    """float32 [labels]: this patch's scores, independent probabilities in [0, 1]."""
    rolling: NDArray[np.float32]
    """float32 [labels]: the mean of the last patches' scores."""
    events: tuple[Event, ...]
    """What it began and ended."""


class Track:
    """What one stream remembers from patch to patch once they are scored: rolling scores and open events."""

    def __init__(self, labels: Sequence[str], rolling: int, events: EventSettings) -> None:
        self._labels = len(labels)
        self._rolling_size = rolling
        self.rolling = RollingMean(self._labels, rolling)
        self.events = EventDetector(labels, events)

    def set(self, rolling: int, events: EventSettings) -> None:
        """Go on with other settings; a rolling score of another size begins anew."""
        self.events.set(events)
        if rolling != self._rolling_size:
            self._rolling_size = rolling
            self.rolling = RollingMean(self._labels, rolling)

    def push(self, patch: Patch, scores: NDArray[np.float32]) -> Scores:
        """Take in a patch's scores, float32 [labels]."""
        start = patch.start / SAMPLE_RATE
        end = (patch.start + PATCH_HOP) / SAMPLE_RATE
        events = tuple(self.events.push(scores, start, end))
        rolling = self.rolling.push(scores)
        return Scores(start, end, patch.time, patch.rms_dbfs, patch.peak_dbfs, scores, rolling, events)
