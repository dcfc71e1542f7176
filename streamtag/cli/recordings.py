"""Which recordings a command line names, and where their results go."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from streamtag.redaction import redact

__all__ = ["SUFFIXES", "Recording", "find"]

SUFFIXES = frozenset({
    ".3g2", ".3gp", ".aa", ".aac", ".aax", ".ac3", ".ac4", ".adts", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".asf",
    ".au", ".avi", ".awb", ".bwf", ".caf", ".dff", ".dsf", ".dts", ".dtshd", ".eac3", ".ec3", ".f4a", ".f4v", ".flac",
    ".flv", ".gsm", ".gxf", ".loas", ".m1a", ".m2a", ".m2ts", ".m4a", ".m4b", ".m4r", ".m4v", ".mka", ".mkv", ".mlp",
    ".mov", ".mp1", ".mp2", ".mp3", ".mp4", ".mpa", ".mpc", ".mpeg", ".mpg", ".mpp", ".mts", ".mxf", ".nut", ".oga",
    ".ogg", ".ogm", ".ogv", ".ogx", ".oma", ".opus", ".qcp", ".qt", ".ra", ".rf64", ".rm", ".rmvb", ".shn", ".snd",
    ".sox", ".spx", ".tak", ".thd", ".ts", ".tta", ".vob", ".voc", ".w64", ".wav", ".wave", ".weba", ".webm", ".wma",
    ".wmv", ".wtv", ".wv",
})  # fmt: skip
"""How names of recordings end; in a folder everything else is left out."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A file to tag."""

    name: str
    """Its path, as the user or the folder has it; bytes that are no text are surrogates."""
    place: Path
    """Below a folder of results: the recording's own name, and its folders from the one that was named on."""
    problem: str = ""
    """Why there is nothing to tag, in one line that names it."""


def find(names: Iterable[str]) -> Iterator[Recording]:
    """Yield the recordings that files and folders stand for, in the order given, a folder's by name.

    Whatever stands for none, such as a folder without any or one that cannot be read, is yielded with its problem.
    """
    taken: set[Path] = set()
    for name in names:
        for recording in _found(name):
            place, number = recording.place, 1
            while place in taken:
                number += 1
                place = recording.place.with_name(f"{recording.place.stem}-{number}{recording.place.suffix}")
            taken.add(place)
            yield replace(recording, place=place)


def _found(name: str) -> Iterator[Recording]:
    if not name:
        yield Recording("", Path("no name"), "'': an empty name is no recording; name a file or a folder")
    elif not os.path.isdir(name):
        # What is not there may be a URL with a password, which must not name a result either.
        yield Recording(name, Path(os.path.basename(redact(name)) or "recording"))
    else:
        yield from _in_folder(name)


def _in_folder(name: str) -> Iterator[Recording]:
    # Links stay what they are: a result is named after the link, not after what it leads to.
    own_name = os.path.basename(os.path.abspath(name))
    found = sorted(_search(Path(name)), key=lambda each: each[0])
    for path, problem in found:
        yield Recording(str(path), Path(own_name) / path.relative_to(name), problem)
    if not found:
        yield Recording(name, Path(own_name or "folder"), f"{name}: there are no recordings in this folder")


def _search(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield recordings below a folder, and folders that cannot be read with their problem.

    Links may lead anywhere, and back: each folder is searched once, by its own name where it has one in here.
    """
    seen: set[tuple[int, int]] = set()
    links = [folder]
    while links:
        waiting = [links.pop(0)]
        while waiting:
            folder = waiting.pop()
            try:
                status = folder.stat()
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
                with os.scandir(folder) as scanned:
                    entries = sorted(scanned, key=lambda entry: entry.name)
            except OSError as error:
                yield folder, f"{folder}: this folder cannot be read: {(error.strerror or str(error)).lower()}"
                continue
            for entry in entries:
                path = folder / entry.name
                if os.path.isdir(path):
                    (links if entry.is_symlink() else waiting).append(path)
                elif path.suffix.lower() in SUFFIXES:
                    yield path, ""
