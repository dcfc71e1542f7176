"""The tables that others learn from, as the history's one writer sees them: embeddings, and people's verdicts."""

import sqlite3
from typing import Final

import numpy as np

from streamtag.history.embeddings import Embedding, shortened

__all__ = ["remove_older", "remove_surplus", "verdict_bytes", "write"]

_ROW_BYTES: Final = 120
"""Of a row beside its vector, with its part of the indexes."""
_SHARE: Final = 2
"""At most one part in so many of what may be kept is embeddings."""
_MOST_VERDICTS: Final = 10_000
_INSERT: Final = """INSERT OR IGNORE INTO embeddings (session, token, stream, time, embedder, scale, vector, kept)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""


def write(base: sqlite3.Connection, session: str, kept: float, embeddings: list[Embedding]) -> None:
    """Write embeddings; those that are no numbers are left out.

    Args:
        base: The open history, in a transaction, as for the others.
        session: The service's.
        kept: Unix seconds by which they grow old.
        embeddings: What to write.
    """
    for each in embeddings:
        if np.isfinite(each.vector).all():
            scale, vector = shortened(each.vector)
            row = (session, each.token, each.stream, each.time, _number_of(base, each.embedder))
            base.execute(_INSERT, (*row, scale, vector.tobytes(), kept))


def remove_older(base: sqlite3.Connection, oldest: float) -> None:
    """Remove the embeddings that were kept before `oldest`, in Unix seconds."""
    base.execute("DELETE FROM embeddings WHERE kept < ?", (oldest,))


def remove_surplus(base: sqlite3.Connection, most_bytes: int) -> None:
    """Remove the oldest embeddings beyond their share of `most_bytes`, and the oldest verdicts beyond their number."""
    count = base.execute("SELECT COUNT(*) FROM embeddings").fetchone()[0]
    if count:
        newest = base.execute("SELECT LENGTH(vector) FROM embeddings ORDER BY id DESC LIMIT 1").fetchone()[0]
        surplus = count - most_bytes // _SHARE // (newest + _ROW_BYTES)
        if surplus > 0:
            oldest = "SELECT id FROM embeddings ORDER BY kept, id LIMIT ?"
            base.execute(f"DELETE FROM embeddings WHERE id IN ({oldest})", (surplus,))  # noqa: S608
    older = "SELECT event FROM verdicts ORDER BY given DESC LIMIT -1 OFFSET ?"
    base.execute(f"DELETE FROM verdicts WHERE event IN ({older})", (_MOST_VERDICTS,))  # noqa: S608


def verdict_bytes(base: sqlite3.Connection) -> int:
    """Return how many bytes verdicts take."""
    query = f"SELECT COALESCE(SUM(COALESCE(LENGTH(vector), 0) + {_ROW_BYTES}), 0) FROM verdicts"  # noqa: S608
    return int(base.execute(query).fetchone()[0])


def _number_of(base: sqlite3.Connection, embedder: str) -> int:
    found = base.execute("SELECT id FROM embedders WHERE hash = ?", (embedder,)).fetchone()
    if found is None:
        return int(base.execute("INSERT INTO embedders (hash) VALUES (?)", (embedder,)).lastrowid or 0)
    return int(found[0])
