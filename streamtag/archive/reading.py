"""What an archive holds of labels: read from its parts, the newest row of each recording."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtag.archive.folder import parts
from streamtag.archive.parquet import ModelId, open_part, read_id
from streamtag.errors import InputError, StreamtagError

__all__ = ["Found", "find"]

_ROWS = 256


@dataclass(frozen=True, slots=True)
class Found:
    """A label in a recording."""

    file: str
    label: str
    onset: float
    """Seconds."""
    offset: float
    peak: float
    model: str


def find(folder: Path, labels: Sequence[str], least: float | None) -> Iterator[Found]:
    """Yield where labels are heard, part by part, a part's recordings in its order.

    Args:
        folder: the archive's.
        labels: which; all when empty.
        least: yield each stretch in which a label scores at least that much, patch by patch. Without it the events, as
            the thresholds of the run judged them.

    Raises:
        InputError: no model of the archive has such a label.
        StreamtagError: there is no archive, or a part cannot be read.
    """
    try:
        paths = parts(folder)
    except OSError as error:
        raise StreamtagError(f"{folder}: there is no archive: {(error.strerror or str(error)).lower()}") from error
    if not paths:
        raise StreamtagError(f"{folder}: there is no archive: it has no part-….parquet")
    _check(paths, labels)
    seen: set[bytes] = set()
    columns = ["path", "seconds", "scores" if least is not None else "events"]
    for path in reversed(paths):
        with open_part(path) as part:
            model = read_id(path, part)
            for batch in part.iter_batches(_ROWS, columns=columns):
                for row in range(batch.num_rows):
                    name = batch["path"][row].as_py()
                    mark = hashlib.blake2b(f"{model.fingerprint}{name}".encode(), digest_size=12).digest()
                    if mark in seen:
                        continue
                    seen.add(mark)
                    value = batch[columns[2]][row]
                    if least is None:
                        yield from _events(name, model, value, labels)
                    else:
                        yield from _stretches(name, model, value, labels, least, batch["seconds"][row].as_py())


def _check(paths: list[Path], labels: Sequence[str]) -> None:
    known: set[str] = set()
    for path in paths:
        if set(labels) <= known:
            return
        with open_part(path) as part:
            known.update(read_id(path, part).labels)
    if unknown := [label for label in labels if label not in known]:
        raise InputError(f"--label {unknown[0]!r}: no model of this archive has such a label")


def _events(name: str, model: ModelId, value: Any, labels: Sequence[str]) -> Iterator[Found]:
    for event in value.as_py() or ():
        if not labels or event["label"] in labels:
            yield Found(name, event["label"], event["onset"], event["offset"], event["peak"], model.model)


def _stretches(
    name: str, model: ModelId, value: Any, labels: Sequence[str], least: float, seconds: float
) -> Iterator[Found]:
    if not value.is_valid:
        return
    scores: NDArray[np.float16] = value.values.flatten().to_numpy().reshape(-1, len(model.labels))
    reached = scores >= np.float16(least)
    for index, label in enumerate(model.labels):
        if (labels and label not in labels) or not reached[:, index].any():
            continue
        edges = np.flatnonzero(np.diff(reached[:, index], prepend=False, append=False)).tolist()
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            peak = round(float(scores[begin:end, index].max()), 4)
            onset, offset = round(begin * model.hop, 6), round(min(end * model.hop, seconds), 6)
            yield Found(name, label, onset, offset, peak, model.model)
