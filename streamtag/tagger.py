import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import isinf
from os import PathLike, fspath
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import Block, Patch, Patcher, Samples
from streamtag.bundle import Bundle
from streamtag.errors import InputError, SourceError
from streamtag.events import Event, EventRules
from streamtag.heads import Heads, read_heads
from streamtag.labels import LabelSet
from streamtag.model import DEFAULT, Model
from streamtag.runtimes import BatchingRuntime, open_runtime
from streamtag.scoring import Judging, Scores, ScoreStage, StreamMemory
from streamtag.settings import EventSettings, ScoreSettings
from streamtag.sources import open_source
from streamtag.tag_results import Part, Result, Span

__all__ = ["Part", "Result", "Span", "Tagger"]

_BATCH = 16  # where nothing was measured


class Tagger:
    """Tags recordings and streams in this process, without sockets.

    Attributes:
        bundle: the model.
        labels: its labels, in the order of the scores, behind them those that were taught, and the groups.

    Example:
        >>> tagger = streamtag.Tagger()
        >>> heard = {event.label for event in tagger.tag("clip.flac").events}
        >>> sorted(heard & {"Music", "Speech"})
        ['Music', 'Speech']
    """

    def __init__(
        self,
        bundle: str | PathLike[str] = "default",
        runtime: str = "auto",
        *,
        rolling: int = ScoreSettings().rolling,
        events: EventSettings | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
        heads: str | PathLike[str] | Heads | None = None,
    ) -> None:
        """Open a model.

        Args:
            bundle: a packaged or added bundle's name, or the path of a bundle.
            runtime: "auto", "onnxruntime", "openvino", "tensorrt" or "torch".
            rolling: number of patches in a rolling score.
            events: thresholds; as in a configuration without `[events]` when absent.
            groups: by name, labels whose highest score is the group's; those that the model lacks are left out.
            heads: a folder of taught labels, or what scores them; those that another model was taught are left out.

        Raises:
            BundleError: there is no such bundle, or it is damaged.
            RuntimeUnavailableError: the runtime is not there.
        """
        self.bundle = Bundle.open(fspath(bundle))
        self._runtime = open_runtime(self.bundle, runtime)
        best = self._runtime.batch if isinstance(self._runtime, BatchingRuntime) else None
        self._batch = best or _BATCH
        self._model = Model.of(DEFAULT, self.bundle, self._runtime)
        of_model = self._model.labels
        if heads is not None and not isinstance(heads, Heads):
            taken = {*of_model.of_model, *(groups or {})}
            heads = Heads.of(read_heads(Path(fspath(heads)))[0], self.bundle.embedder, taken)
        thresholds = {**of_model.thresholds, **(heads.thresholds if heads else {})}
        labels = LabelSet(of_model.of_model, thresholds, heads.names if heads else (), groups or {})
        self.labels = list(labels.names)
        self._judging = Judging(EventRules(labels, events or EventSettings()), rolling, heads)
        self._stages = threading.local()

    def tag(self, path: str | PathLike[str], *, max_seconds: float = float("inf")) -> Result:
        """Tag a whole recording, anything that FFmpeg reads.

        Args:
            path: the recording.
            max_seconds: refuse a longer one, as soon as that shows.

        Raises:
            SourceError: there is no such file, or it holds no audio.
            InputError: it is longer than `max_seconds`, or its sample rate cannot be used.
        """
        return Result.of(self.labels, self.parts(path, max_seconds=max_seconds, embeddings=True), self.bundle.band_hz)

    def parts(
        self,
        path: str | PathLike[str],
        *,
        max_seconds: float = float("inf"),
        embeddings: bool = False,
        on_block: Callable[[], None] = lambda: None,
    ) -> Iterator[Part]:
        """Tag a recording as `tag` does, and give what it scored part by part.

        Args:
            path: the recording.
            max_seconds: refuse a longer one, as soon as that shows.
            embeddings: whether they are wanted too.
            on_block: called now and then while nothing is scored yet.

        Raises:
            SourceError, InputError: as `tag` does.
        """
        notes: list[str] = []
        seconds = 0.0
        rate = 0

        def note(state: str, reason: str) -> None:
            if reason:
                notes.append(reason)

        def blocks() -> Iterator[Block]:
            nonlocal seconds, rate
            with open_source(f"file:{Path(path)}", on_state=note) as source:
                for block in source:
                    seconds = (block.start + len(block.samples)) / block.rate
                    rate = min(rate or block.rate, block.rate)
                    if seconds > max_seconds:
                        raise InputError(f"longer than {max_seconds:g} s, the most that is taken")
                    on_block()
                    yield block

        def part(scores: list[Scores], rest: list[Event], vectors: NDArray[np.float32] | None) -> Part:
            told = notes.copy()
            notes.clear()
            patches = np.array([each.patch for each in scores], np.float32).reshape(-1, len(self.labels))
            events = [event for each in scores for event in each.events] + rest
            ended = [event for event in events if event.state == "off"]
            return Part([each.start for each in scores], patches, ended, seconds, rate, told, vectors)

        patcher = Patcher(self._model.geometry)
        stage = self._stage(self._batch)
        memory = stage.memory()
        try:
            for scores, vectors in _score(stage, memory, patcher, blocks(), self._batch, embeds=embeddings):
                yield part(scores, [], vectors)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        if not patcher.patches:
            raise SourceError(f"{path}: it holds no audio")
        if patcher.bad_samples:
            notes.append(f"{patcher.bad_samples} samples are not finite and were taken as 0")
        yield part([], memory.events.finish(), None)

    def spans(
        self,
        path: str | PathLike[str],
        begin: float = 0.0,
        end: float = float("inf"),
        *,
        on_block: Callable[[], None] = lambda: None,
    ) -> Iterator[Span]:
        """Embed the windows of a recording from one second to another, which are cut from `begin` on.

        Args:
            path: the recording.
            begin: seconds at which the first window begins.
            end: seconds at which the last one ends; what is left over is padded where it lasts half a window or more.
            on_block: called now and then while nothing is embedded yet.

        Raises:
            SourceError: as `tag` does, or it ends before `begin`.
            InputError: its sample rate cannot be used.
        """

        def blocks() -> Iterator[Block]:
            with open_source(f"file:{Path(path)}") as source:
                for block in source:
                    on_block()
                    first = round(begin * block.rate)
                    last = block.start + len(block.samples) if isinf(end) else round(end * block.rate)
                    if block.start >= last:
                        return
                    low, high = max(0, first - block.start), last - block.start
                    if low < min(high, len(block.samples)):
                        yield Block(block.samples[low:high], block.start + low - first, block.rate, block.time)

        patcher = Patcher(self._model.geometry)
        stage = self._stage(self._batch)
        waiting: list[Patch] = []
        for block in blocks():
            waiting += patcher.feed(block)
            while len(waiting) >= self._batch:
                yield _span(stage, waiting[: self._batch], begin)
                del waiting[: self._batch]
        waiting += patcher.finish()
        if waiting:
            yield _span(stage, waiting, begin)
        if not patcher.patches:
            raise SourceError(f"{path}: it holds no audio from second {begin:g} on")

    def stream(self, blocks: Iterable[Samples], rate: int) -> Iterator[Scores]:
        """Tag sound as it comes: one `Scores` a patch, as soon as its last sample is there.

        When `blocks` ends, a tail of at least half a patch is padded with zeros and scored. Events that are on then
        have no end in the results.

        Args:
            blocks: [samples] or [samples, channels] of any length, float32 in [-1, 1], int16 or int32.
            rate: samples a second, 1 to 100,000,000.

        Raises:
            InputError: the rate or a block's type or shape cannot be used.
        """

        def placed() -> Iterator[Block]:
            start = 0
            for samples in blocks:
                yield Block(samples, start, rate, time.time())
                start += len(samples)

        stage = self._stage(1)
        for scores, _ in _score(stage, stage.memory(), Patcher(self._model.geometry), placed(), 1):
            yield from scores

    def _stage(self, batch: int) -> ScoreStage:
        """Return what scores batches of so many patches in this thread; it is made once, for all of its recordings."""
        made = self._stages.__dict__
        if str(batch) not in made:
            made[str(batch)] = ScoreStage(self._model, self._runtime, self._judging, batch)
        stage: ScoreStage = made[str(batch)]
        return stage


def _score(
    stage: ScoreStage,
    memory: StreamMemory,
    patcher: Patcher,
    blocks: Iterable[Block],
    batch: int,
    *,
    embeds: bool = False,
) -> Iterator[tuple[list[Scores], NDArray[np.float32] | None]]:
    """Score what `blocks` hold, in batches of `batch` patches, the last perhaps smaller; with embeddings if asked."""

    def scored(patches: list[Patch]) -> tuple[list[Scores], NDArray[np.float32] | None]:
        found = stage.score(patches, embeds=embeds)
        return stage.follow([memory] * len(patches), patches, found).scores, found.embeddings if embeds else None

    waiting: list[Patch] = []
    for block in blocks:
        waiting += patcher.feed(block)
        while len(waiting) >= batch:
            yield scored(waiting[:batch])
            del waiting[:batch]
    waiting += patcher.finish()
    for first in range(0, len(waiting), batch):
        yield scored(waiting[first : first + batch])


def _span(stage: ScoreStage, patches: list[Patch], begin: float) -> Span:
    starts = [begin + patch.start_seconds for patch in patches]
    embeddings = stage.score(patches, embeds=True).embeddings
    assert embeddings is not None
    return Span(starts, [patch.rms_dbfs for patch in patches], embeddings)
