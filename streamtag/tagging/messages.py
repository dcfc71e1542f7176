"""What a process that tags recordings is told, and what it says: see `worker.py` and `pool.py`.

Paths and reasons are bytes: a file's name may be no text.
"""

from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from streamtag.events import Event
from streamtag.heads import PackedHead
from streamtag.process import LinkError
from streamtag.settings import EventSettings
from streamtag.tag_results import Part, Span

__all__ = [
    "Alive",
    "Done",
    "Embed",
    "Heard",
    "Model",
    "Order",
    "Ready",
    "Refused",
    "Scored",
    "Tag",
    "Word",
    "part_of",
    "scored_of",
    "span_of",
]


class Model(Struct, frozen=True, tag=True):
    """Open this model; comes first, and once. As for `Tagger`."""

    bundle: str
    runtime: str
    rolling: int
    events: EventSettings
    groups: dict[str, tuple[str, ...]] = {}
    heads: list[PackedHead] = []


class Tag(Struct, frozen=True, tag=True):
    """Tag a recording, as `Tagger.tag`."""

    path: bytes
    max_seconds: float
    embeds: bool = False


class Embed(Struct, frozen=True, tag=True):
    """Embed a part of a recording, as `Tagger.spans`."""

    path: bytes
    begin: float
    end: float


Order = Model | Tag | Embed


class Ready(Struct, frozen=True, tag=True):
    """The model is open."""


class Alive(Struct, frozen=True, tag=True):
    """Reading goes on."""


class Scored(Struct, frozen=True, tag=True):
    """A part of the recording, as `Part`; behind it are the bytes of float32 [patches, labels + dims].

    Each row is a patch's scores and, where they were asked for, its embedding.
    """

    starts: list[float]
    events: list[Event]
    seconds: Annotated[float, Meta(ge=0)]
    rate: Annotated[int, Meta(ge=0)]
    notes: list[bytes]
    dims: Annotated[int, Meta(ge=0, le=1 << 16)] = 0


class Heard(Struct, frozen=True, tag=True):
    """A part of what was embedded, as `Span`; its embeddings are the bytes behind it."""

    starts: list[float]
    levels: list[float]


class Done(Struct, frozen=True, tag=True):
    """The recording is tagged."""


class Refused(Struct, frozen=True, tag=True):
    """The model cannot be opened, or the recording not be tagged."""

    kind: Literal["BundleError", "InputError", "RuntimeUnavailableError", "SourceError"]
    reason: bytes


Word = Ready | Alive | Scored | Heard | Done | Refused


def scored_of(part: Part) -> tuple[Scored, NDArray[np.float32]]:
    """Return a part as it is sent, and the rows that go behind it."""
    notes = [note.encode(errors="surrogateescape") for note in part.notes]
    dims, rows = 0, part.patches
    if part.embeddings is not None:
        dims, rows = part.embeddings.shape[1], np.concatenate([part.patches, part.embeddings], axis=1)
    return Scored(part.starts, part.events, part.seconds, part.rate, notes, dims), rows


def part_of(scored: Scored, payload: bytearray, labels: list[str]) -> Part:
    """Return a part as it was before it was sent.

    Raises:
        LinkError: the bytes are no such scores.
    """
    if len(payload) != 4 * (len(labels) + scored.dims) * len(scored.starts):
        raise LinkError("its scores are not as many as its patches")
    rows: Any = np.frombuffer(payload, np.float32).reshape(-1, len(labels) + scored.dims)
    numbers = [number for event in scored.events for number in (event.onset, event.offset or 0.0, event.peak)]
    if not (np.isfinite(rows).all() and np.isfinite([*numbers, *scored.starts, scored.seconds]).all()):
        raise LinkError("its scores are no numbers")
    if any(not 0 <= event.index < len(labels) or event.label != labels[event.index] for event in scored.events):
        raise LinkError("there is no such label")
    notes = [note.decode(errors="surrogateescape") for note in scored.notes]
    patches, embeddings = rows[:, : len(labels)], rows[:, len(labels) :] if scored.dims else None
    return Part(scored.starts, patches, scored.events, scored.seconds, scored.rate, notes, embeddings)


def span_of(heard: Heard, payload: bytearray) -> Span:
    """Return a span as it was before it was sent.

    Raises:
        LinkError: the bytes are no such embeddings.
    """
    count = len(heard.starts)
    if count != len(heard.levels) or not count or not payload or len(payload) % (4 * count):
        raise LinkError("its embeddings are not as many as its patches")
    embeddings: Any = np.frombuffer(payload, np.float32).reshape(count, -1)
    if not (np.isfinite(embeddings).all() and np.isfinite([*heard.starts, *heard.levels]).all()):
        raise LinkError("its embeddings are no numbers")
    return Span(heard.starts, heard.levels, embeddings)
