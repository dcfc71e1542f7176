"""What follows from a verdict: a label whose events are wrong in a stream begins later there."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from streamtag.history.verdicts import Verdict

__all__ = ["Raise", "raised", "raised_on"]


@dataclass(frozen=True, slots=True)
class Raise:
    """A threshold that verdicts raised; without the verdicts it is as before."""

    stream: str
    label: str
    on: float
    """The score from which on an event of the label begins in the stream."""
    before: float
    """The same without the verdicts."""
    wrong: int
    """How many verdicts said no."""
    right: int
    """How many said yes."""


def raised(verdicts: Iterable[Verdict], on: Mapping[str, float]) -> list[Raise]:
    """Return the thresholds that verdicts raise, by stream and label.

    Args:
        verdicts: what people said; what is of no event changes nothing.
        on: by label, the threshold without verdicts; labels that are not in it are left alone, such as taught ones,
            which learn from verdicts by themselves.
    """
    wrong: dict[tuple[str, str], list[float]] = defaultdict(list)
    right: dict[tuple[str, str], list[float]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.label in on and verdict.peak is not None:
            (right if verdict.is_right else wrong)[verdict.stream, verdict.label].append(verdict.peak)
    found = []
    for key, peaks in sorted(wrong.items()):
        stream, label = key
        raised_to = raised_on(on[label], peaks, right[key])
        if raised_to > on[label]:
            found.append(Raise(stream, label, raised_to, on[label], len(peaks), len(right[key])))
    return found


def raised_on(on: float, wrong: list[float], right: list[float]) -> float:
    """Return the threshold that follows from the peaks of events that people judged.

    It is half-way between a wrong event and the weakest right one above it, or 1 where there is none. Of the wrong
    events that one is taken for which the wrong ones up to it outnumber the right ones by most, the weakest where
    several are equal. Where they outnumber them nowhere, nothing is raised. So the answer hangs on what was said alone,
    not on its order, and a verdict that is withdrawn leaves no trace.
    """
    best, most = on, 0
    for peak in sorted(wrong):
        gain = sum(each <= peak for each in wrong) - sum(each <= peak for each in right)
        if gain > most:
            above = min((each for each in right if each > peak), default=1.0)
            best, most = (peak + above) / 2, gain
    return max(on, best)
