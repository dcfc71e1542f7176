"""What stands in an archive, as a test compares it."""

from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq

__all__ = ["rows", "shown", "table"]


def table(folder: Path) -> Any:
    """All rows, in the order of their paths."""
    return ds.dataset(folder).to_table().sort_by("path")


def rows(folder: Path) -> list[dict[str, Any]]:
    """All rows as objects, likewise."""
    found: list[dict[str, Any]] = table(folder).to_pylist()
    return found


def shown(folder: Path) -> dict[str, list[str]]:
    """By part the names of its recordings; a part that is not whole is an error."""
    return {
        path.name: [Path(name).name for name in pq.read_table(path)["path"].to_pylist()]
        for path in sorted(folder.glob("part-*.parquet"))
    }
