"""Any set of recordings described by a CSV: `file,label` and, where known, `source`, `fold`, `licence`, `credit`."""

import csv
import glob
from functools import cache
from pathlib import Path

from streamtag.errors import ConfigError
from train.data.clips import Clip, members

_KINDS = {"unlabelled": "unlabelled", "rir": "room"}


def read_manifest(path: Path, dataset: str) -> list[Clip]:
    """Read a manifest.

    `file` is relative to the manifest; where its first folder is a tar (`sounds/x.opus` beside `sounds.tar`, or beside
    `sounds1.tar` and `sounds2.tar`), it is read from there. Several labels are parted by ";". `speaker_or_piece` may
    stand for `source`; without either a clip is its own source. `kind` "unlabelled" marks sound without labels, "rir"
    an impulse response.

    Raises:
        ConfigError: the file is missing or lacks a column.
    """
    clips = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                clips.append(_clip(row, path, dataset))
    except OSError as error:
        raise ConfigError(f"manifest {path}: {error.strerror}: set [data] root to the folder that holds it") from error
    except KeyError as error:
        raise ConfigError(f"manifest {path}: has no column {error}: it needs at least file and label") from error
    return clips


def _clip(row: dict[str, str], path: Path, dataset: str) -> Clip:
    tar = _tar(path.parent, row["file"])
    return Clip(
        name=f"{dataset}/{row['file']}",
        path=tar or path.parent / row["file"],
        member=row["file"] if tar else "",
        labels=tuple(label.strip() for label in row["label"].split(";") if label.strip()),
        source=row.get("source") or row.get("speaker_or_piece") or row["file"],
        dataset=dataset,
        fold=int(row.get("fold") or 0),
        licence=row.get("licence", ""),
        credit=row.get("credit", ""),
        repository=row.get("repo", ""),
        kind=_KINDS.get(row.get("kind", ""), "sound"),
    )


def _tar(folder: Path, file: str) -> Path | None:
    """Return the tar that holds a file, None where it lies in a folder."""
    first, _, member = file.partition("/")
    if not member:
        return None
    tars = _tars(folder, first)
    return next((tar for tar in tars if len(tars) == 1 or file in members(tar)), None)


@cache
def _tars(folder: Path, first: str) -> tuple[Path, ...]:
    whole = folder / f"{first}.tar"
    return (whole,) if whole.is_file() else tuple(sorted(folder.glob(f"{glob.escape(first)}[0-9].tar")))
