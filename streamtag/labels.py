"""The label set: what the columns of a row of scores mean."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["LabelSet", "labels_sha256"]


def labels_sha256(names: Sequence[str]) -> str:
    """Return the hash that names a list of labels: SHA-256 of the names in order, one a line, in UTF-8."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class LabelSet:
    """The labels of a row of scores, in its order, as a value: who scores, judges, tells or shows them asks here.

    First come the labels of the model, then those that were taught, then the groups.

    Attributes:
        of_model: display names of the labels that the network scores.
        thresholds: by name, the `on` and the `off` by which events are to be judged where nobody says otherwise; names
            may be missing. A group has those of the member with the lowest `on`.
        taught: names of the labels that heads on the model's embedding score.
        groups: by name, the labels whose highest score is the group's. Those that are neither the model's nor taught
            are left out, and a group that has none is not in the set.
        names: all names.
        hash: SHA-256 of the names, in hexadecimal: two sets with the same names in the same order share it.
    """

    of_model: Sequence[str]
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    taught: Sequence[str] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names: Sequence[str] = field(init=False)
    hash: str = field(init=False)
    _members: NDArray[np.intp] = field(init=False, repr=False)  # of all groups, one after the other
    _firsts: NDArray[np.intp] = field(init=False, repr=False)  # of each, the place of the first of them

    def __post_init__(self) -> None:
        labels = (*self.of_model, *self.taught)
        column = {name: index for index, name in reversed(list(enumerate(labels)))}  # of the first of its name
        groups = {name: tuple(label for label in members if label in column) for name, members in self.groups.items()}
        groups = {name: members for name, members in groups.items() if members}
        sizes = [len(members) for members in groups.values()]
        columns = [column[label] for members in groups.values() for label in members]
        set_field = object.__setattr__
        set_field(self, "of_model", tuple(self.of_model))
        set_field(self, "thresholds", dict(self.thresholds) | _lowest(self.thresholds, groups))
        set_field(self, "taught", tuple(self.taught))
        set_field(self, "groups", groups)
        set_field(self, "names", (*labels, *groups))
        set_field(self, "hash", labels_sha256(self.names))
        set_field(self, "_members", np.array(columns, np.intp))
        set_field(self, "_firsts", np.cumsum([0, *sizes[:-1]], dtype=np.intp))

    def __len__(self) -> int:
        """How many labels there are."""
        return len(self.names)

    def fill_groups(self, scores: NDArray[np.float32]) -> None:
        """Write the groups' scores, each the highest of its members'.

        Args:
            scores: float32 [n, labels], those of the model and the taught ones filled in.
        """
        if self.groups:
            labels = len(self.names) - len(self.groups)
            np.maximum.reduceat(scores[:, self._members], self._firsts, axis=1, out=scores[:, labels:])


def _lowest(
    thresholds: Mapping[str, Mapping[str, float]], groups: Mapping[str, Sequence[str]]
) -> dict[str, Mapping[str, float]]:
    """Return what groups are to be judged by; nothing of those with a member of which that is not known."""
    known = {name: [thresholds[label] for label in members if label in thresholds] for name, members in groups.items()}
    return {
        name: min(pairs, key=lambda pair: pair["on"])
        for name, pairs in known.items()
        if len(pairs) == len(groups[name])
    }
