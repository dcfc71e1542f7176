import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isinf
from os import PathLike, fspath
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import Block, Patch, Patcher, Samples
from streamtag.audio.frontend import HIGH_HZ, LOW_HZ
from streamtag.bundle import Bundle
from streamtag.errors import InputError, SourceError
from streamtag.events import Event, EventRules
from streamtag.labels import LabelSet
from streamtag.model import DEFAULT, Model
from streamtag.runtimes import open_runtime
from streamtag.scoring import Judging, Scores, ScoreStage, StreamMemory
from streamtag.settings import EventSettings, ScoreSettings
from streamtag.sources import open_source

__all__ = ["Part", "Result", "Span", "Tagger", "within"]

_BATCH = 16  # larger ones go no faster, and take more memory


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What a part of a recording scored; the parts follow each other, and the last may be without patches."""

    starts: list[float]
    """Seconds at which each patch begins."""
    patches: NDArray[np.float32]
    """float32 [patches, labels]."""
    events: list[Event]
    """Which ended in it."""
    seconds: float
    """How much was read so far."""
    rate: int
    """The lowest sample rate so far."""
    notes: list[str]
    """What was wrong with it."""
    embeddings: NDArray[np.float32] | None = None
    """float32 [patches, d]: what the scores were made of; None where nobody asked for it, or the model has none."""


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """What the network made of windows of a recording."""

    starts: list[float]
    """Seconds at which each begins."""
    levels: list[float]
    """dBFS of each."""
    embeddings: NDArray[np.float32]
    """float32 [windows, d]."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What a recording scored.

    Example:
        >>> result = streamtag.Tagger().tag("clip.flac")
        >>> result.patches.shape == (len(result.starts), len(result.labels))
        True
        >>> [label for label, score in result.top(3)] == [result.labels[row] for row in np.argsort(-result.clip)[:3]]
        True
    """

    labels: list[str]
    seconds: float
    """How long the recording lasts."""
    starts: NDArray[np.float64]
    """float64 [patches]: seconds at which each patch begins."""
    patches: NDArray[np.float32]
    """float32 [patches, labels]: scores in [0, 1]."""
    events: tuple[Event, ...]
    """Every event, ended; in the order of their onsets."""
    notes: tuple[str, ...]
    """What was wrong with the recording though it could be tagged, such as damaged packets."""
    rate: int
    """Samples a second of the recording; the lowest where it changes."""
    embeddings: NDArray[np.float32] | None = None
    """float32 [patches, d]: what the scores were made of; None where nobody asked for it, or the model has none."""

    band_hz: tuple[float, float] = (LOW_HZ, HIGH_HZ)
    """Between which frequencies the model hears."""

    @classmethod
    def of(cls, labels: list[str], parts: Iterable[Part], band_hz: tuple[float, float]) -> "Result":
        """Put together the parts of one recording, one at least."""
        parts = list(parts)
        seconds = parts[-1].seconds
        events = [within(event, seconds) for part in parts for event in part.events]
        embeddings = [part.embeddings for part in parts if part.embeddings is not None]
        return cls(
            labels=labels,
            seconds=seconds,
            starts=np.array([start for part in parts for start in part.starts]),
            patches=np.concatenate([part.patches for part in parts]),
            events=tuple(sorted(events, key=lambda event: (event.onset, event.id))),
            notes=tuple(note for part in parts for note in part.notes),
            rate=parts[-1].rate,
            embeddings=np.concatenate(embeddings) if embeddings else None,
            band_hz=band_hz,
        )

    @property
    def clip(self) -> NDArray[np.float32]:
        """float32 [labels]: the mean over all patches, the clip score of Hershey et al. (2017)."""
        mean: NDArray[np.float32] = self.patches.mean(axis=0)
        return mean

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """Return the `k` labels with the highest clip scores and these scores, highest first."""
        clip = self.clip
        return [(self.labels[index], float(clip[index])) for index in np.argsort(-clip, kind="stable")[:k].tolist()]


class Tagger:
    """Tags recordings and streams in this process, without sockets.

    Attributes:
        bundle: the model.
        labels: its labels, in the order of the scores, and behind them the groups.

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
    ) -> None:
        """Open a model.

        Args:
            bundle: a packaged or added bundle's name, or the path of a bundle.
            runtime: "auto", "onnxruntime", "openvino", "tensorrt" or "torch".
            rolling: number of patches in a rolling score.
            events: thresholds; as in a configuration without `[events]` when absent.
            groups: by name, labels whose highest score is the group's; those that the model lacks are left out.

        Raises:
            BundleError: there is no such bundle, or it is damaged.
            RuntimeUnavailableError: the runtime is not there.
        """
        self.bundle = Bundle.open(fspath(bundle))
        self._runtime = open_runtime(self.bundle, runtime)
        self._model = Model.of(DEFAULT, self.bundle, self._runtime)
        of_model = self._model.labels
        labels = LabelSet(of_model.of_model, of_model.thresholds, groups=groups or {})
        self.labels = list(labels.names)
        self._judging = Judging(EventRules(labels, events or EventSettings()), rolling)

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
        stage = self._stage(_BATCH)
        memory = stage.memory()
        try:
            for scores, vectors in _score(stage, memory, patcher, blocks(), _BATCH, embeds=embeddings):
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
        stage = self._stage(_BATCH)
        waiting: list[Patch] = []
        for block in blocks():
            waiting += patcher.feed(block)
            while len(waiting) >= _BATCH:
                yield _span(stage, waiting[:_BATCH], begin)
                del waiting[:_BATCH]
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
        return ScoreStage(self._model, self._runtime, self._judging, batch)


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


def within(event: Event, seconds: float) -> Event:
    """Return an event that ends with its recording at the latest: the last patch may be padded."""
    return replace(event, offset=min(event.offset or seconds, seconds))
