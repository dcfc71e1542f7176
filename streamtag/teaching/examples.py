"""Examples from recordings: which part of which file, and what the network makes of it."""

import math
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from streamtag.errors import InputError, SourceError
from streamtag.heads import Examples, HeadError
from streamtag.redaction import redact
from streamtag.tag_results import Span as Heard
from streamtag.tagging import TaggingPool

__all__ = ["MOST_RECORDINGS", "Span", "read_examples", "read_span"]

MOST_RECORDINGS: Final = 1000
"""The most recordings that are taken; of more, so many that lie evenly among them."""
_MOST_SECONDS: Final = 600.0
_SILENT_DBFS: Final = -70.0
_BELOW_LOUDEST: Final = 20.0  # dB: the rest of a recording is what comes before and after the sound
_SPAN: Final = re.compile(r"(?P<path>.+)@(?P<begin>\d+(?:\.\d*)?)-(?P<end>\d+(?:\.\d*)?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a recording."""

    path: str
    begin: float = 0.0
    """Seconds."""
    end: float = math.inf
    """Seconds; infinite: to the end."""

    def __str__(self) -> str:
        path = redact(self.path)
        return path if math.isinf(self.end) else f"{path}@{self.begin:g}-{self.end:g}"


def read_span(text: str) -> Span:
    """Return what `PATH@START-END` or `PATH` means; a file of this very name comes first.

    Raises:
        InputError: the end does not come after the beginning.
    """
    found = _SPAN.fullmatch(text)
    if found is None or os.path.lexists(text):
        return Span(text)
    begin, end = float(found["begin"]), float(found["end"])
    if end <= begin:
        raise InputError(f"{text}: the span ends before it begins: write {found['path']}@START-END in seconds")
    return Span(found["path"], begin, end)


def read_examples(
    spans: Sequence[Span],
    pool: TaggingPool,
    *,
    jobs: int = 1,
    note: Callable[[str], None] = lambda text: None,
    most_seconds: float = _MOST_SECONDS,
) -> Examples:
    """Return the windows of recordings in which something is heard, decoded in processes that may die.

    Silent windows are left out, and in each recording those that are 20 dB and more below its loudest one.

    Args:
        spans: which parts of which recordings; of more than a thousand so many are taken.
        pool: decodes and embeds.
        jobs: recordings at a time; the pool's number of processes.
        note: told in a line what is left out.
        most_seconds: of one recording, or of the part of it that is named.

    Raises:
        SourceError: a recording is not there or holds no audio, all of it silent, or longer than that.
    """
    if len(spans) > MOST_RECORDINGS:
        note(f"{MOST_RECORDINGS} of the {len(spans)} recordings are taken, evenly among them: more would change little")
        indices = np.linspace(0, len(spans) - 1, MOST_RECORDINGS).round().astype(int)
        spans = [spans[index] for index in indices.tolist()]
    with ThreadPoolExecutor(max(1, jobs), "streamtag-teach") as executor:
        read = list(executor.map(lambda span: _read(span, pool, most_seconds), spans))
    found = Examples.none()
    silent = [span for span, each in zip(spans, read, strict=True) if not len(each.sources)]
    for span in silent[:3]:
        note(f"{span}: it is silent, and left out")
    if len(silent) > 3:
        note(f"and {len(silent) - 3} more")
    if spans and len(silent) == len(spans):
        raise HeadError("there is no example that can be heard: all are silent")
    rows = [each for each in read if len(each.sources)]
    if rows:
        found = Examples(
            np.concatenate([each.vectors for each in rows]), [name for each in rows for name in each.sources]
        )
    return found


def _read(span: Span, pool: TaggingPool, most_seconds: float) -> Examples:
    end = min(span.end, span.begin + most_seconds)
    heard = pool.embed(span.path, span.begin, end + (0.0 if span.end <= end else 1.0))
    last = heard[-1].starts[-1]
    if last >= span.begin + most_seconds:
        raise SourceError(
            f"{span}: longer than {most_seconds:g} s: say where it sounds, such as {redact(span.path)}@12.5-14"
        )
    return _audible(span, heard)


def _audible(span: Span, heard: Sequence[Heard]) -> Examples:
    levels = np.array([level for part in heard for level in part.levels])
    is_heard = (levels > _SILENT_DBFS) & (levels > levels.max() - _BELOW_LOUDEST)
    vectors = np.concatenate([part.embeddings for part in heard])[is_heard]
    return Examples(vectors, [str(Path(redact(span.path)))] * len(vectors))
