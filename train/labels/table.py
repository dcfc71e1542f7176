"""The label table: order, names, MIDs."""

import csv
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from streamtag.errors import ConfigError

_HERE = Path(__file__).parent
SILENCE = "Silence"


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def known_mids() -> dict[str, str]:
    """Return every label name that may be used, with its AudioSet MID ("" for the names of our own).

    Names and MIDs are those of AudioSet's class list (Gemmeke et al., "Audio Set", ICASSP 2017; CC BY 4.0).
    """
    return {row["name"]: row["mid"] for row in _rows(_HERE / "audioset.csv")}


@cache
def category_names(dataset: str) -> dict[str, str]:
    """Return the label name of each category of a set, "esc50" or "urbansound8k"."""
    return {row["category"]: row["name"] for row in _rows(_HERE / f"{dataset}.csv")}


@cache
def _names_by_mid() -> dict[str, str]:
    return {mid: name for name, mid in known_mids().items() if mid}


def names_of_mids(mids: Iterable[str], where: Path) -> tuple[str, ...]:
    """Return the label names of AudioSet's MIDs.

    Raises:
        ConfigError: a MID is not in AudioSet's class list; `where` names the table that has it.
    """
    names = []
    for mid in mids:
        name = _names_by_mid().get(mid.strip())
        if name is None:
            raise ConfigError(f"{where}: MID {mid.strip()!r} is not in AudioSet's class list: take it out of the table")
        names.append(name)
    return tuple(names)


def plain_name(name: str) -> str:
    """Return a label's name without what spelling alone makes of it: case, and blanks too many."""
    return " ".join(unicodedata.normalize("NFKC", name).split()).casefold()


def one_spelling(names: Iterable[str]) -> None:
    """Refuse names that are one label twice.

    Raises:
        ConfigError: two names differ in case or blanks alone.
    """
    seen: dict[str, str] = {}
    for name in sorted(set(names)):
        other = seen.setdefault(plain_name(name), name)
        if other != name:
            raise ConfigError(
                f"labels {other!r} and {name!r} differ in case or blanks alone: give their recordings one name"
            )


@dataclass(frozen=True, slots=True)
class LabelTable:
    """The labels of a model in the order of its outputs."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, names: Iterable[str], mapping: dict[str, str] | None = None) -> "LabelTable":
        """Return the table of the distinct `names`, sorted; `mapping` adds names that AudioSet's list lacks.

        Raises:
            ConfigError: a name is neither AudioSet's nor in `mapping`, or differs from another in case or blanks alone.
        """
        known = known_mids() | (mapping or {})
        distinct = sorted(set(names))
        one_spelling({*distinct, *(mapping or {})})
        for name in distinct:
            if name not in known:
                meant = next((other for other in known if plain_name(other) == plain_name(name)), None)
                correct = f"write it {meant!r}" if meant else "correct it, or add it to [data] own_labels"
                raise ConfigError(f"label {name!r} is not among AudioSet's display names: {correct}")
        return cls(tuple(distinct))

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Return the position of a name.

        Raises:
            ConfigError: the table has no such label.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise ConfigError(f"label {name!r} is not one of the model's {len(self)} labels") from None

    @property
    def mids(self) -> tuple[str, ...]:
        """AudioSet's MID of each label, "" where there is none."""
        known = known_mids()
        return tuple(known.get(name, "") for name in self.names)

    @property
    def sha256(self) -> str:
        """Hash of the names joined by newlines, as the bundle's manifest and the wire's headers carry it."""
        return sha256("\n".join(self.names).encode()).hexdigest()
