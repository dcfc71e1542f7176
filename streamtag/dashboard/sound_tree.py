"""AudioSet's names as a tree: what lies below what, as its published ontology says (https://github.com/audioset/ontology).

`audioset_tree.csv` has one line a category: its name, and the names of those right above it, with a bar between them.
"""

import csv
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["Sound", "sounds_of", "tree"]


class Sound(NamedTuple):
    """A node of the tree.

    Attributes:
        name: what it is called.
        parents: the names right above it; none at the top.
        is_label: whether it is a label, or stands only above some.
    """

    name: str
    parents: tuple[str, ...]
    is_label: bool


@cache
def tree() -> dict[str, tuple[str, ...]]:
    """Return of each of AudioSet's names the ones right above it."""
    with (Path(__file__).parent / "audioset_tree.csv").open(encoding="utf-8", newline="") as table:
        return {row["name"]: tuple(filter(None, row["parents"].split("|"))) for row in csv.DictReader(table)}


def sounds_of(labels: Collection[str]) -> list[Sound]:
    """Return labels and all that is above them, by name; labels that AudioSet does not know stand at the top."""
    parents = tree()
    found: dict[str, Sound] = {}
    waiting = list(labels)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = Sound(name, parents.get(name, ()), name in labels)
            waiting += found[name].parents
    return [found[name] for name in sorted(found)]
