"""Recordings in folders, known by the suffix of their names."""

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["SUFFIXES", "search"]

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


def search(folder: Path) -> Iterator[tuple[Path, str]]:
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
