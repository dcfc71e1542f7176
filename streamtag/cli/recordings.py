"""Which recordings a command line names, and where their results go."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from streamtag.recordings import search
from streamtag.redaction import redact

__all__ = ["Recording", "find"]


@dataclass(frozen=True, slots=True)
class Recording:
    """A file to tag."""

    name: str
    """Its path, as the user or the folder has it; bytes that are no text are surrogates."""
    result_path: Path
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
            path, number = recording.result_path, 1
            while path in taken:
                number += 1
                path = path.with_name(f"{recording.result_path.stem}-{number}{path.suffix}")
            taken.add(path)
            yield replace(recording, result_path=path)


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
    found = sorted(search(Path(name)), key=lambda each: each[0])
    for path, problem in found:
        yield Recording(str(path), Path(own_name) / path.relative_to(name), problem)
    if not found:
        yield Recording(name, Path(own_name or "folder"), f"{name}: there are no recordings in this folder")
