"""What a thread that scores took from its queues at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from streamtag.audio import Patch
from streamtag.engine.queue import Work
from streamtag.engine.stream import EngineStream
from streamtag.model import Model
from streamtag.runtimes import ServerUnavailableError
from streamtag.scoring import Judging, Scored, ScoreStage

__all__ = ["NewJudging", "Round", "rounds_of", "without_patches"]

_NOTHING = Scored(np.empty((0, 0), np.float32))


@dataclass(frozen=True, slots=True)
class NewJudging:
    """A change of what streams are scored and judged by, in the queue: patches behind it are scored by it."""

    change: Callable[[Mapping[Model, Judging]], None]
    judging: Mapping[Model, Judging]

    def __call__(self) -> None:
        """Make the change."""
        self.change(self.judging)


class Round:
    """The patches of one model that were taken at once."""

    def __init__(self, stage: ScoreStage) -> None:
        self.stage = stage
        self.streams: list[EngineStream] = []
        self.patches: list[Patch] = []
        self.due = 0
        """How many, of those not yet taken in, are to be taken in now."""
        self.failure = ""
        """Why none of them could be scored."""
        self._scored = _NOTHING
        self._done = 0

    def add(self, stream: EngineStream, patch: Patch) -> None:
        """Add a patch of a stream."""
        self.streams.append(stream)
        self.patches.append(patch)

    def score(self, *, embeds: bool) -> None:
        """Have the patches scored, with their embeddings where these are asked for."""
        try:
            self._scored = self.stage.score(self.patches, embeds=embeds)
        except ServerUnavailableError as error:
            self.failure = str(error)

    def take_due(self) -> tuple[list[EngineStream], list[Patch], Scored]:
        """Return what is due: whose each patch is, the patches, and what the network says of them."""
        part = slice(self._done, self._done + self.due)
        self._done, self.due = part.stop, 0
        return self.streams[part], self.patches[part], self._scored.part(part)


def rounds_of(work: list[Work[EngineStream]]) -> dict[ScoreStage, Round]:
    """Return the patches of what was taken, by what scores them."""
    rounds: dict[ScoreStage, Round] = {}
    for stream, item in work:
        if stream is not None and isinstance(item, Patch):
            if stream.stage not in rounds:
                rounds[stream.stage] = Round(stream.stage)
            rounds[stream.stage].add(stream, item)
    return rounds


def without_patches(work: list[Work[EngineStream]]) -> list[Work[EngineStream]]:
    """Return what is to be done though the patches between are lost, which are counted."""
    kept: list[Work[EngineStream]] = []
    for stream, item in work:
        if stream is not None and isinstance(item, Patch):
            stream.queue.count_dropped()
        else:
            kept.append((stream, item))
    return kept
