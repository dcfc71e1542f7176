"""How sure a taught label is, in words."""

from typing import Final

from streamtag.heads import Figures

__all__ = ["words_of"]

_FEW: Final = 3
_GOOD: Final = 10
_WELL: Final = 0.9


def words_of(figures: Figures) -> str:
    """Return in one line how sure a label is that was taught so."""
    count, recordings = figures.positives, figures.recordings
    windows = f"{_number(count)} {_plural(count, 'window')} of {_number(recordings)} {_plural(recordings, 'recording')}"
    better = f"{_GOOD} from different days would do"
    if figures.precision is None or figures.recall is None:
        return f"{windows}: too few to judge; {better}"
    found = round(figures.recall * recordings)
    tried = f"{found} of {recordings} recordings were found by what the others taught, {_right(figures.precision)}"
    if recordings < _FEW:
        return f"{windows}: too few to be sure ({tried}); {better}"
    if recordings < _GOOD:
        return f"{windows}: rough ({tried}); {better}"
    if figures.precision < _WELL or figures.recall < _WELL / 2:
        return f"{windows}: not sure ({tried}); examples of the same sound alone, and counter-examples, would help"
    return f"{windows}: good ({tried})"


def _right(precision: float) -> str:
    return f"{precision:.0%} of what fired was right"


def _number(count: int) -> str:
    names = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return names[count] if count < len(names) else f"{count}"


def _plural(count: int, name: str) -> str:
    return name if count == 1 else f"{name}s"
