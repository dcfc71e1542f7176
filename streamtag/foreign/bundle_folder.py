"""Writing a bundle's folder: its labels, its manifest, and each file's entry."""

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from streamtag.foreign.label_files import Labels
from streamtag.labels import labels_sha256
from streamtag.manifest import FORMAT

__all__ = ["LABELS", "MANIFEST", "file_entry", "write_bundle", "write_labels"]

MANIFEST: Final = "manifest.json"
LABELS: Final = "labels.csv"
_PIECE: Final = 1 << 20


def write_bundle(
    folder: Path, name: str, labels: Labels, files: Mapping[str, Mapping[str, Any]], about: Mapping[str, Any]
) -> None:
    """Write what makes a bundle of the graphs that are in a folder.

    Args:
        folder: where the graphs are.
        name: the model's.
        labels: in the order of its scores.
        files: by name, what the manifest says of each file beside its hash and size.
        about: the rest of the manifest: front end or window, network and what else there is to say.
    """
    write_labels(folder, labels.names, labels.mids)
    manifest = {
        "format": FORMAT,
        "name": name,
        "version": "1",
        "created": datetime.now(UTC).strftime("%Y-%m-%d"),
        "labels": {"count": len(labels.names), "sha256": labels_sha256(labels.names)},
        **about,
        "files": {
            **{file: file_entry(folder / file) | dict(entry) for file, entry in files.items()},
            LABELS: file_entry(folder / LABELS),
        },
    }
    content = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(content, encoding="utf-8")


def file_entry(path: Path) -> dict[str, Any]:
    """Return a file's hash and size, as a manifest has them."""
    found = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while part := file.read(_PIECE):
            found.update(part)
            size += len(part)
    return {"sha256": found.hexdigest(), "bytes": size}


def write_labels(folder: Path, names: Sequence[str], mids: Sequence[str]) -> None:
    """Write a bundle's table of labels, in the order of the model's scores.

    Args:
        folder: of the bundle.
        names: of the labels.
        mids: of each, its identifier in AudioSet, empty where it has none.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["index", "name", "mid"])
    writer.writerows(zip(range(len(names)), names, mids, strict=True))
    (folder / LABELS).write_text(text.getvalue(), encoding="utf-8")
