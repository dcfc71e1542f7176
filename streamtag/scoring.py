"""From a batch of patches to scores, rolling scores and events: the one place where that is done."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamtag.audio import PATCH_HOP, SAMPLE_RATE, Patch
from streamtag.events import Event, EventDetector, EventRules
from streamtag.model import Model
from streamtag.rolling import RollingSum
from streamtag.runtimes import Embedded, Runtime
from streamtag.runtimes.scorer import Scorer

__all__ = ["Batch", "ScoreStage", "Scores", "StreamMemory"]


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


class StreamMemory:
    """What one stream remembers from patch to patch once they are scored: rolling scores and open events.

    Attributes:
        events: the detector of its events.
    """

    def __init__(self, rules: EventRules, rolling: int) -> None:
        self.events = EventDetector(rules)
        self._set_rolling(rolling)

    def set(self, rules: EventRules, rolling: int) -> None:
        """Go on with other settings; a rolling score over another number of patches begins anew."""
        self.events.rules = rules
        if rolling != self._rolling_size:
            self._set_rolling(rolling)

    def add(self, scores: NDArray[np.float32], out: NDArray[np.float32]) -> int:
        """Take in a patch's scores; write the sum of the last ones and return of how many it is."""
        return self._rolling.push(scores, out)

    def _set_rolling(self, size: int) -> None:
        self._rolling_size = size
        self._rolling = RollingSum(len(self.events.rules.labels), size)


class Batch(NamedTuple):
    """What a batch of patches scored.

    Attributes:
        scores: of each patch.
        rows: float32 [n, 2, labels], the same in one array.
    """

    scores: list[Scores]
    rows: NDArray[np.float32]


class ScoreStage:
    """One model in one thread: patches of any number of its streams in, scores and events out.

    Attributes:
        model: the model.
        rules: by what events are judged; what is made from now on goes by them.
        rolling: the number of patches in a rolling score.
    """

    def __init__(self, model: Model, runtime: Runtime, rules: EventRules, rolling: int, max_batch: int) -> None:
        """Make room for batches of at most `max_batch` patches.

        Args:
            model: the model.
            runtime: what runs it.
            rules: by what events are judged.
            rolling: the number of patches in a rolling score.
            max_batch: the most patches that one call brings.
        """
        self.model = model
        self.rules = rules
        self.rolling = rolling
        self._scorer = Scorer(runtime, max_batch)

    def memory(self) -> StreamMemory:
        """Return the memory of a stream that begins."""
        return StreamMemory(self.rules, self.rolling)

    def score(self, patches: Sequence[Patch]) -> NDArray[np.float32]:
        """Return what the network says of each patch by itself, float32 [n, labels] in [0, 1]."""
        return self._scorer.run([patch.window for patch in patches])

    def embed(self, patches: Sequence[Patch]) -> Embedded:
        """Return what `score` does, and each patch's embedding, in one call of the network."""
        return self._scorer.embed([patch.window for patch in patches])

    def follow(self, memories: Sequence[StreamMemory], patches: Sequence[Patch], scores: NDArray[np.float32]) -> Batch:
        """Let streams take in what their patches scored, in order; a stream may be there more than once.

        Args:
            memories: of the stream that each patch is of.
            patches: what was scored.
            scores: float32 [n, labels], as `score` returns them.
        """
        rows = np.empty((len(patches), 2, scores.shape[1]), np.float32)
        rows[:, 0] = scores
        counts = []
        results = []
        for memory, patch, row, labels in zip(memories, patches, rows, self.rules.reached(scores), strict=True):
            counts.append(memory.add(row[0], row[1]))
            start = patch.start / SAMPLE_RATE
            end = (patch.start + PATCH_HOP) / SAMPLE_RATE
            events = memory.events.push(row[0], start, end, labels)
            results.append(Scores(start, end, patch.time, patch.rms_dbfs, patch.peak_dbfs, row, events))
        rolling = rows[:, 1]
        np.divide(rolling, np.array(counts, np.float32)[:, np.newaxis], rolling)
        return Batch(results, rows)

    def run(self, memories: Sequence[StreamMemory], patches: Sequence[Patch]) -> Batch:
        """Score patches and let their streams take it in."""
        return self.follow(memories, patches, self.score(patches))
