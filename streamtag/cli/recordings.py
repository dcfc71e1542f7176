"""Which recordings a command line names, and where their results go."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from streamtag.redaction import redact

__all__ = ["SUFFIXES", "Recording", "find"]

SUFFIXES = frozenset({
    ".3gp", ".aac", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".avi", ".caf", ".flac", ".flv", ".m2ts", ".m4a",
    ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".mpc", ".mpeg", ".mpg", ".mts", ".oga", ".ogg",
    ".ogv", ".opus", ".spx", ".tta", ".ts", ".vob", ".w64", ".wav", ".weba", ".webm", ".wma", ".wmv", ".wv",
})  # fmt: skip
"""How names of recordings end; in a folder everything else is left out."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A file to tag."""

    path: Path
    place: Path
    """Below a folder of results: the recording's own name, and its folders from the one that was named on."""


def find(names: Iterable[str]) -> Iterator[Recording]:
    """Yield the recordings that files and folders stand for, in the order given, a folder's by name.

    A folder without any is yielded itself, so that somebody tells of it.
    """
    taken: set[Path] = set()
    for name in names:
        path = Path(name)
        found = [Recording(path, Path(Path(redact(name)).name))]
        if path.is_dir():
            above = path.resolve().parent
            inside = [Path(folder, file) for folder, _, files in os.walk(path) for file in files]
            recordings = [each for each in sorted(inside) if each.suffix.lower() in SUFFIXES]
            found = [Recording(each, each.resolve().relative_to(above)) for each in recordings] or found
        for recording in found:
            place, number = recording.place, 1
            while place in taken:
                number += 1
                place = recording.place.with_name(f"{recording.place.stem}-{number}{recording.place.suffix}")
            taken.add(place)
            yield Recording(recording.path, place)
