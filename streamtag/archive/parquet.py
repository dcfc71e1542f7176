"""Rows as Parquet: the columns, what each file says of itself, and how a file is written whole or not at all."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from streamtag.archive.columns import lists, numbers, structs, texts
from streamtag.archive.rows import Row
from streamtag.atomic_file import Draft, sync_folder
from streamtag.bundle import Bundle
from streamtag.errors import StreamtagError
from streamtag.labels import labels_sha256

__all__ = [
    "TEMPORARY",
    "ModelId",
    "PartError",
    "name_of",
    "open_part",
    "read_id",
    "write_part",
    "write_table",
]

# The other pools keep what one large recording took.
pa.set_memory_pool(pa.system_memory_pool())

TEMPORARY: Final = ".tmp"
"""How the names of files end that are not whole yet."""
_KEY: Final = b"streamtag"
_FORMAT: Final = 1

_SCHEMA: Final = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        ("bytes", pa.int64()),
        ("mtime", pa.float64()),
        ("seconds", pa.float64()),
        pa.field("model", pa.string(), nullable=False),
        pa.field("labels_hash", pa.string(), nullable=False),
        pa.field("patches", pa.int32(), nullable=False),
        ("scores", pa.list_(pa.list_(pa.float16()))),
        (
            "events",
            pa.list_(
                pa.struct(
                    [("label", pa.string()), ("onset", pa.float64()), ("offset", pa.float64()), ("peak", pa.float32())]
                )
            ),
        ),
        ("embedding", pa.list_(pa.float32())),
        ("error", pa.string()),
    ]
)


class PartError(StreamtagError):
    """A file of an archive cannot be read, or is of a later version."""


@dataclass(frozen=True, slots=True)
class ModelId:
    """What a file of an archive says of the model of its rows: one file has rows of one model."""

    model: str
    """The bundle's name."""
    fingerprint: str
    """Which model of this name: it changes with its network, and with its labels."""
    labels: tuple[str, ...]
    """What the columns of the scores are."""
    hop: float
    """Seconds from patch to patch."""
    embeds: bool
    """Whether its rows have embeddings."""

    @classmethod
    def of(cls, bundle: Bundle, labels: Sequence[str], *, embeds: bool) -> "ModelId":
        """Return that of a bundle; `labels` are the columns of its scores."""
        fingerprint = labels_sha256([bundle.name, bundle.version, bundle.embedder, *labels])[:16]
        return cls(bundle.name, fingerprint, tuple(labels), bundle.geometry.seconds, embeds)

    @property
    def labels_hash(self) -> str:
        """SHA-256 of the labels, as everywhere."""
        return labels_sha256(self.labels)


def name_of(path: str) -> str:
    """Return a path as it stands in a row: bytes that are no text are written out."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _table(rows: Sequence[Row], model: ModelId) -> pa.Table:
    """Return rows as a table with all columns."""
    scores = [row.scores for row in rows if row.scores is not None]
    flat = scores[0] if len(scores) == 1 else np.concatenate(scores) if scores else np.empty(0, np.float16)
    patches = [None if row.scores is None else len(row.scores) for row in rows]
    events = [event for row in rows for event in row.events]
    embeddings = [row.embedding for row in rows]
    there = [embedding for embedding in embeddings if embedding is not None]
    columns = {
        "path": texts([name_of(row.path) for row in rows]),
        "bytes": numbers([row.state.bytes for row in rows], pa.int64()),
        "mtime": numbers([row.state.mtime for row in rows], pa.float64()),
        "seconds": numbers([row.seconds for row in rows], pa.float64()),
        "model": texts([model.model] * len(rows)),
        "labels_hash": texts([model.labels_hash] * len(rows)),
        "patches": numbers([count or 0 for count in patches], pa.int32()),
        "scores": lists(patches, lists([len(model.labels)] * sum(filter(None, patches)), numbers(flat, pa.float16()))),
        "events": lists(
            [len(row.events) for row in rows],
            structs(
                label=texts([event.label for event in events]),
                onset=numbers([event.onset for event in events], pa.float64()),
                offset=numbers([event.offset for event in events], pa.float64()),
                peak=numbers([event.peak for event in events], pa.float32()),
            ),
        ),
        "embedding": lists(
            [None if embedding is None else len(embedding) for embedding in embeddings],
            numbers(np.concatenate(there) if there else np.empty(0, np.float32), pa.float32()),
        ),
        "error": texts([row.error for row in rows]),
    }
    told = json.dumps({"v": _FORMAT, **asdict(model)}).encode()
    return pa.Table.from_arrays(list(columns.values()), schema=_SCHEMA.with_metadata({_KEY: told}))


def write_part(path: Path, rows: Sequence[Row], model: ModelId, may: Callable[[], bool] = lambda: True) -> bool:
    """Write rows as a file, as `write_table` does."""
    return write_table(path, _table(rows, model), may)


def write_table(path: Path, table: pa.Table, may: Callable[[], bool] = lambda: True) -> bool:
    """Write a file whole, under another name until it is, or not at all.

    Args:
        path: where; what is there is replaced.
        table: what it holds.
        may: asked last whether the file is still wanted.

    Returns:
        Whether it was.

    Raises:
        OSError: it cannot be written.
    """
    with Draft(path, prefix=f".{path.name}.", suffix=TEMPORARY) as draft:
        # What follows each other in a row of scores is of different labels: a dictionary would hold them all.
        pq.write_table(table, draft.file, compression="zstd", use_dictionary=["model", "labels_hash"])
        draft.sync()
        if not may():
            return False
        draft.publish()
    sync_folder(path.parent)
    return True


def open_part(path: Path) -> pq.ParquetFile:
    """Open a file of an archive.

    Raises:
        FileNotFoundError: it is gone.
        PartError: it is damaged, or not one.
    """
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        raise PartError(f"{path}: this part cannot be read: {reason}") from error


def read_id(path: Path, part: pq.ParquetFile) -> ModelId:
    """Return what a file says of its model.

    Raises:
        PartError: it says nothing, or is of a later version.
    """
    try:
        told = json.loads(part.schema_arrow.metadata[_KEY])
        if told["v"] == _FORMAT:
            names = ("model", "fingerprint", "hop", "embeds")
            return ModelId(labels=tuple(told["labels"]), **{name: told[name] for name in names})
    except (KeyError, TypeError, ValueError) as error:
        raise PartError(f"{path}: this is no part of an archive: Streamtag did not write it") from error
    raise PartError(f"{path}: this part is of version {told['v']}, and this Streamtag knows {_FORMAT}")
