"""From a batch of patches to scores, rolling scores and events: the one place where that is done."""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamtag.audio import Patch
from streamtag.events import Event, EventDetector, EventRules
from streamtag.labels import LabelSet
from streamtag.model import Model
from streamtag.rolling import RollingSum
from streamtag.runtimes import ListRuntime, Runtime
from streamtag.runtimes.scorer import Scorer

__all__ = ["Batch", "Heads", "Judging", "ScoreStage", "Scored", "Scores", "StreamMemory"]

_COMPLAINT_SECONDS = 60.0

logger = logging.getLogger(__name__)


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
    """Where the next patch begins: `start` + 0.96, or what the model's hop is."""
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


class Heads(Protocol):
    """The taught labels of a model: what scores them, from the embeddings of patches."""

    @property
    def names(self) -> Sequence[str]:
        """Of the labels, as they stand in the label set."""

    def score(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 [n, names] in [0, 1] of embeddings, float32 [n, d]."""


class Judging(NamedTuple):
    """What a model's streams are scored on, and by what their events are judged; it may change while they run.

    Attributes:
        rules: by what events are judged; their label set says what the columns of the scores are.
        rolling: the number of patches in a rolling score.
        heads: what scores the label set's taught labels; None where it has none.
        raised: by stream and label, the `on` to which people's verdicts raise it.
    """

    rules: EventRules
    rolling: int
    heads: Heads | None = None
    raised: Mapping[str, Mapping[str, float]] = MappingProxyType({})

    def of(self, stream: str) -> "Judging":
        """Return by what a stream is judged: thresholds may be raised for it alone."""
        raised = self.raised.get(stream)
        return self._replace(rules=self.rules.raised(raised)) if raised else self


class Scored(NamedTuple):
    """What the network says of a batch.

    Attributes:
        scores: float32 [n, the model's labels] in [0, 1].
        embeddings: float32 [n, d]: what the scores were made of; None where nobody asked for them.
    """

    scores: NDArray[np.float32]
    embeddings: NDArray[np.float32] | None = None

    def part(self, rows: slice) -> "Scored":
        """Return some of the rows."""
        return Scored(self.scores[rows], None if self.embeddings is None else self.embeddings[rows])


class StreamMemory:
    """What one stream remembers from patch to patch once they are scored: rolling scores and open events.

    Attributes:
        events: the detector of its events.
    """

    def __init__(self, judging: Judging) -> None:
        self.events = EventDetector(judging.rules)
        self._set_rolling(judging.rolling)

    def go_by(self, judging: Judging) -> list[Event]:
        """Go on with other settings; return the ends of events whose labels are gone.

        A rolling score over another number of patches begins anew; other labels leave those that stay alone.
        """
        names, before = judging.rules.labels.names, self.events.rules.labels.names
        ends = self.events.judge_by(judging.rules)
        if judging.rolling != self._rolling_size:
            self._set_rolling(judging.rolling)
        elif names != before:
            columns = {name: column for column, name in enumerate(before)}
            self._rolling.rearrange([columns.get(name) for name in names])
        return ends

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
        judging: what is made from now on goes by it.
        bad_patches: how many scored what is no number so far, and were taken as 0.
    """

    def __init__(self, model: Model, runtime: Runtime | ListRuntime, judging: Judging, max_batch: int) -> None:
        """Make room for batches of at most `max_batch` patches.

        Args:
            model: the model.
            runtime: what runs it.
            judging: what its streams are scored on and judged by.
            max_batch: the most patches that one call brings.
        """
        self.model = model
        self.judging = judging
        self.bad_patches = 0
        self._complain_at = 0.0
        self._most = model.geometry.batch(max_batch)
        self._scorer = Scorer(runtime, self._most, model.geometry, model.log_offset)

    @property
    def labels(self) -> LabelSet:
        """What the columns of its scores are."""
        return self.judging.rules.labels

    def memory(self) -> StreamMemory:
        """Return the memory of a stream that begins."""
        return StreamMemory(self.judging)

    def score(self, patches: Sequence[Patch], *, embeds: bool = False) -> Scored:
        """Return what the network says of each patch by itself, in one call of it; in several where patches are long.

        Args:
            patches: at most `max_batch`.
            embeds: whether embeddings are wanted, of a model that has any; where labels are taught they always come.
        """
        windows = [patch.window for patch in patches]
        embeds = (embeds or self.judging.heads is not None) and self.model.has_embedding
        if len(windows) <= self._most:
            return self._mended(self._ask(windows, embeds=embeds))
        firsts = range(0, len(windows), self._most)
        parts = [self._ask(windows[first : first + self._most], embeds=embeds) for first in firsts]
        embeddings = [part.embeddings for part in parts if part.embeddings is not None]
        scores = np.concatenate([part.scores for part in parts])
        return self._mended(Scored(scores, np.concatenate(embeddings) if embeddings else None))

    def follow(self, memories: Sequence[StreamMemory], patches: Sequence[Patch], scored: Scored) -> Batch:
        """Let streams take in what their patches scored, in order; a stream may be there more than once.

        Args:
            memories: of the stream that each patch is of.
            patches: what was scored.
            scored: as `score` returns it; without embeddings what is taught scores 0.
        """
        rules, heads = self.judging.rules, self.judging.heads
        rows = np.empty((len(patches), 2, len(rules.labels)), np.float32)
        self._fill(rows[:, 0], scored, heads)
        rate, hop = self.model.geometry.rate, self.model.geometry.hop
        counts = []
        results = []
        for memory, patch, row, labels in zip(memories, patches, rows, rules.reached(rows[:, 0]), strict=True):
            counts.append(memory.add(row[0], row[1]))
            start, end = patch.start / rate, (patch.start + hop) / rate
            own = memory.events.rules
            events = memory.events.push(row[0], start, end, labels if own is rules else own.still(row[0], labels))
            results.append(Scores(start, end, patch.time, patch.rms_dbfs, patch.peak_dbfs, row, events))
        rolling = rows[:, 1]
        np.divide(rolling, np.array(counts, np.float32)[:, np.newaxis], rolling)
        return Batch(results, rows)

    def run(self, memories: Sequence[StreamMemory], patches: Sequence[Patch]) -> Batch:
        """Score patches and let their streams take it in."""
        return self.follow(memories, patches, self.score(patches))

    def _ask(self, windows: Sequence[NDArray[np.float32]], *, embeds: bool) -> Scored:
        return Scored(*self._scorer.embed(windows)) if embeds else Scored(self._scorer.run(windows))

    def _fill(self, columns: NDArray[np.float32], scored: Scored, heads: Heads | None) -> None:
        """Write the scores of all labels: the model's, the taught ones, the groups."""
        labels = self.labels
        if len(labels.of_model) == len(labels.names):
            columns[...] = scored.scores
            return
        taught = slice(len(labels.of_model), len(labels.of_model) + len(labels.taught))
        columns[:, : taught.start] = scored.scores
        if labels.taught:
            if heads is None or scored.embeddings is None:
                columns[:, taught] = 0.0
            else:
                columns[:, taught] = heads.score(scored.embeddings)
        labels.fill_groups(columns)

    def _mended(self, scored: Scored) -> Scored:
        """Return scores that are numbers: what is not finite, which only a broken network says, is taken as 0."""
        if _is_finite(scored.scores) and (scored.embeddings is None or _is_finite(scored.embeddings)):
            return scored
        bad = [~np.isfinite(part).all(axis=1) for part in scored if part is not None]
        self.bad_patches += int(np.any(bad, axis=0).sum())
        if time.monotonic() >= self._complain_at:
            self._complain_at = time.monotonic() + _COMPLAINT_SECONDS
            told = "model %s gives scores that are not finite, %d patches so far: they are taken as 0; get it again"
            logger.warning(told, self.model.name, self.bad_patches)
        embeddings = None if scored.embeddings is None else _finite(scored.embeddings)
        return Scored(_finite(scored.scores), embeddings)


def _is_finite(values: NDArray[np.float32]) -> bool:
    # The sum is not finite if one of them is not, and costs a third of looking at each.
    return math.isfinite(np.add.reduce(values, axis=None))


def _finite(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(np.isfinite(values), values, np.float32(0))
