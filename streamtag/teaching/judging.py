"""What people say of events and moments, and what follows from it."""

import time
from dataclasses import dataclass
from pathlib import Path

from streamtag.errors import HistoryError
from streamtag.history import HistoryReader, Verdict, read_verdicts, withdraw_verdict, write_verdict
from streamtag.teaching.teacher import Teacher

__all__ = ["Consequence", "judge_event", "judge_moment", "withdraw"]


@dataclass(frozen=True, slots=True)
class Consequence:
    """What followed from a verdict.

    Attributes:
        verdict: what was said.
        words: what follows from it, in one line for people.
    """

    verdict: Verdict
    words: str


def judge_event(history: Path, event: int, *, is_right: bool, who: str, teacher: Teacher | None = None) -> Consequence:
    """Keep what somebody says of an event, and learn from it.

    A taught label is taught again with it. Any other label that is wrong begins later in this stream from now on: see
    `streamtag.history.raised_on`. A running service takes both over within 2 s.

    Args:
        history: the history's file.
        event: the history's number of the event.
        is_right: whether the label is heard there.
        who: who says so.
        teacher: of the stream's model; without it taught labels do not learn.

    Raises:
        HistoryError: there is no such event, or the verdict cannot be kept.
        HeadError: the verdict is kept, and the taught label cannot be taught again; the text says why.
    """
    reader = HistoryReader(history)
    found = reader.event(event)
    if found is None:
        raise HistoryError(f"{history}: there is no event {event} any more")
    heard = reader.heard(event=event)
    known = (None, None) if heard is None else (heard.embedder, heard.vector)
    verdict = Verdict(found.stream, found.label, found.time, is_right, who, time.time(), found.peak, *known)
    return _learn(history, verdict, teacher)


def judge_moment(
    history: Path, moment: int, label: str, *, is_right: bool, who: str, teacher: Teacher | None = None
) -> Consequence:
    """Keep what somebody says of a moment that a search found, and learn from it as from an event.

    Args:
        history: the history's file.
        moment: the number of its embedding, as `Found` gives it.
        label: the label that is or is not heard there.
        is_right: whether it is.
        who: who says so.
        teacher: as for `judge_event`.

    Raises:
        HistoryError: there is no such moment, or the verdict cannot be kept.
        HeadError: as for `judge_event`.
    """
    found = HistoryReader(history).heard(moment=moment)
    if found is None:
        raise HistoryError(f"{history}: there is no moment {moment} any more")
    said = time.time()
    verdict = Verdict(found.stream, label, found.time, is_right, who, said, None, found.embedder, found.vector)
    return _learn(history, verdict, teacher)


def withdraw(history: Path, event: str, teacher: Teacher | None = None) -> str:
    """Forget a verdict and what followed from it; return that in one line for people.

    Args:
        history: the history's file.
        event: the event's name, as `Verdict.event` gives it.
        teacher: as for `judge_event`.

    Raises:
        HistoryError: it cannot be written.
        HeadError: the taught label cannot be taught again without it.
    """
    labels = [each.label for each in read_verdicts(history, with_vectors=False) if each.event == event]
    if not withdraw_verdict(history, event):
        return "there is no such verdict any more"
    if teacher is not None and teacher.knows(labels[0]):
        return f"taken back: {teacher.teach_again(labels[0], history).figures.words}"
    return "taken back: the threshold is what it would be without it"


def _learn(history: Path, verdict: Verdict, teacher: Teacher | None) -> Consequence:
    write_verdict(history, verdict)
    if teacher is not None and teacher.knows(verdict.label):
        if verdict.vector is None or verdict.embedder != teacher.embedder:
            return Consequence(verdict, "kept; the history has no embedding of it, so nothing can be learnt from it")
        head = teacher.teach_again(verdict.label, history)
        return Consequence(verdict, f"{verdict.label} was taught again: {head.figures.words}")
    if verdict.is_right:
        return Consequence(verdict, "kept: the threshold stays below events such as this one")
    return Consequence(verdict, f"kept: {verdict.label} begins later in {verdict.stream}, where it is as sure as here")
