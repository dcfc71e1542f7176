"""The label set: what the columns of a row of scores mean."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["LabelSet", "labels_sha256"]


def labels_sha256(names: Sequence[str]) -> str:
    """Return the hash that names a list of labels: SHA-256 of the names in order, one a line, in UTF-8."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class LabelSet:
    """The labels of a row of scores, in its order, as a value: who scores, judges, tells or shows them asks here.

    Attributes:
        names: display names.
        thresholds: by name, the `on` and the `off` by which events are to be judged where nobody says otherwise; names
            may be missing.
        hash: SHA-256 of the names, in hexadecimal: two sets with the same names in the same order share it.
    """

    names: Sequence[str]
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "hash", labels_sha256(self.names))

    def __len__(self) -> int:
        """How many labels there are."""
        return len(self.names)
