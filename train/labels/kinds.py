"""Kinds of sound that recordings without labels are sorted into, and what may truly be heard in each."""

import csv
from functools import cache
from pathlib import Path

from streamtag.errors import ConfigError

__all__ = ["kinds", "may_be_in"]


@cache
def kinds() -> dict[str, frozenset[str]]:
    """Return each kind with the labels that may be in a recording of it: all others are certainly not."""
    with Path(__file__).with_name("kinds.csv").open(newline="", encoding="utf-8") as file:
        return {
            row["kind"]: frozenset(label.strip() for label in row["labels"].split(";")) for row in csv.DictReader(file)
        }


def may_be_in(kind: str) -> frozenset[str]:
    """Return the labels that may be in a recording of a kind.

    Raises:
        ConfigError: there is no such kind.
    """
    known = kinds()
    if kind not in known:
        raise ConfigError(f"no kind of sound is called {kind!r}: kinds are {', '.join(known)} (train/labels/kinds.csv)")
    return known[kind]
