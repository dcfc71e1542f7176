from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamtag.audio import PATCH_HOP, SAMPLE_RATE, Patch
from streamtag.events import Event, EventDetector, EventRules
from streamtag.scores import RollingSum

__all__ = ["Scores", "Track"]


class Scores(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What one patch of a stream scored.

    Example:
        >>> blocks = [np.zeros(4800, np.float32)] * 20  # two seconds at 48 kHz
        >>> for scores in streamtag.Tagger().stream(blocks, rate=48000):
        ...     print(f"{scores.start:.2f} to {scores.end:.2f} s, {scores.rms_dbfs:.0f} dBFS")
        0.00 to 0.96 s, -120 dBFS
        0.96 to 1.92 s, -120 dBFS
        >>> scores.patch.shape == scores.rolling.shape
        True
    """

    start: float
    """Stream seconds of its first sample."""
    end: float
    """`start` + 0.96."""
    time: float
    """Unix seconds at which its last sample was captured."""
    rms_dbfs: float
    """Its level in decibels, where a square wave of full scale has 0 and digital silence -120."""
    peak_dbfs: float
    """Its largest sample, likewise."""
    rows: NDArray[np.float32]
    """float32 [2, labels]: row 0 this patch's scores, row 1 the rolling scores; probabilities in [0, 1]."""
    events: list[Event]
    """What it began and ended."""

    @property
    def patch(self) -> NDArray[np.float32]:
        """float32 [labels]: this patch's scores, independent probabilities in [0, 1]."""
        patch: NDArray[np.float32] = self.rows[0]
        return patch

    @property
    def rolling(self) -> NDArray[np.float32]:
        """float32 [labels]: the mean of the last patches' scores."""
        rolling: NDArray[np.float32] = self.rows[1]
        return rolling


class Track:
    """What one stream remembers from patch to patch once they are scored: rolling scores and open events."""

    def __init__(self, rules: EventRules, rolling: int) -> None:
        self.events = EventDetector(rules)
        self._set_rolling(rolling)

    def set(self, rules: EventRules, rolling: int) -> None:
        """Go on with other settings; a rolling score over another number of patches begins anew."""
        self.events.rules = rules
        if rolling != self._rolling_size:
            self._set_rolling(rolling)

    @staticmethod
    def push_all(
        tracks: Sequence["Track"], patches: Sequence[Patch], rows: NDArray[np.float32], reached: Sequence[list[int]]
    ) -> list[Scores]:
        """Take in the scores of a batch, in order; a track may be there more than once.

        Args:
            tracks: whose each patch is.
            patches: what was scored.
            rows: float32 [n, 2, labels] with each patch's scores in row 0; row 1 is written, and the results keep both.
            reached: of each patch, the labels whose `on` its scores reach.
        """
        counts = []
        results = []
        for track, patch, row, labels in zip(tracks, patches, rows, reached, strict=True):
            counts.append(track._rolling.push(row[0], row[1]))
            start = patch.start / SAMPLE_RATE
            end = (patch.start + PATCH_HOP) / SAMPLE_RATE
            events = track.events.push(row[0], start, end, labels)
            results.append(Scores(start, end, patch.time, patch.rms_dbfs, patch.peak_dbfs, row, events))
        rolling = rows[:, 1]
        np.divide(rolling, np.array(counts, np.float32)[:, np.newaxis], rolling)
        return results

    def _set_rolling(self, size: int) -> None:
        self._rolling_size = size
        self._rolling = RollingSum(len(self.events.rules.labels), size)
