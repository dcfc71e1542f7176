"""What tagging a recording gives: part by part, and as a whole."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamtag.audio.frontend import HIGH_HZ, LOW_HZ
from streamtag.events import Event

__all__ = ["Part", "Result", "Span", "within"]


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


def within(event: Event, seconds: float) -> Event:
    """Return an event that ends with its recording at the latest: the last patch may be padded."""
    return replace(event, offset=min(event.offset or seconds, seconds))
