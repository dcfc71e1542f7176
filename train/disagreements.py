"""Recordings whose names two published taggers both contradict: where labels may be wrong and somebody is to look."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtag.errors import ConfigError
from train.clipset import ClipSet
from train.data.clips import Clip
from train.judges import Judge, Scores
from train.labels import LabelTable, plain_name
from train.labels.related import implied, unsure_with

__all__ = ["Disagreement", "as_markdown", "as_rows", "disagreements"]
_RANK = 40
"""A label that a tagger ranks lower, of its 500, it does not hear."""
_SURE = 0.3
_TOP = 3
_AT_ONCE = 200


_Said = tuple[Judge, NDArray[np.float32]]
"""A judge with its scores of a recording, float32 [its labels]."""
_Opinion = tuple[Clip, tuple[_Said, ...]]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A recording that both taggers hear as something else.

    Attributes:
        clip: the recording.
        label: its label, which neither hears.
        ranks: of the label by each of the taggers, 1 for the highest score.
        heard: what is among the highest scores of both, surely by one at least; empty where they agree on nothing.
    """

    clip: Clip
    label: str
    ranks: tuple[int, ...]
    heard: tuple[str, ...]


def disagreements(clips: Iterable[Clip], judges: Sequence[Judge]) -> list[Disagreement]:
    """Return the recordings of which no judge hears the label, those first for which all hear the same other thing.

    Each judge is asked of what the ones before it doubted alone, so the quickest is to come first.

    Args:
        clips: recordings; those without labels are passed over.
        judges: at least two.

    Raises:
        ConfigError: there are fewer than two judges.
    """
    if len(judges) < 2:
        raise ConfigError("disagreements: name two taggers, with --yamnet-file and --weights")
    opinions: list[_Opinion] = [(clip, ()) for clip in clips if clip.labels and clip.kind == "sound"]
    for judge in judges:
        opinions = [
            (clip, (*before, (judge, row)))
            for clip, before, row in _asked(opinions, judge)
            if any(_rank(judge, row, label) > _RANK for label in clip.labels)
        ]
    found = [
        Disagreement(clip, label, tuple(_rank(judge, row, label) for judge, row in said), _agreed(label, said))
        for clip, said in opinions
        for label in clip.labels
        if all(_rank(judge, row, label) > _RANK for judge, row in said)
    ]
    return sorted(found, key=lambda each: (not each.heard, each.clip.name))


def _asked(opinions: Sequence[_Opinion], judge: Judge) -> Iterator[tuple[Clip, tuple[_Said, ...], NDArray[np.float32]]]:
    """Yield each recording that can be read with what was said of it and what the judge says."""
    before = {clip.name: said for clip, said in opinions}
    for first in range(0, len(opinions), _AT_ONCE):
        some = [clip for clip, _ in opinions[first : first + _AT_ONCE]]
        clips = ClipSet.of(some, LabelTable(()), narrow=True)
        scores: Scores = judge.score(clips) if clips.clips else np.empty((0, 0), np.float32)
        for clip, row in zip(clips.clips, scores, strict=True):
            yield clip, before[clip.name], row


def _rank(judge: Judge, row: NDArray[np.float32], label: str) -> int:
    """Return a label's place among a judge's scores: the best of its own and of what it may be filed under as well.

    A label that the judge cannot name is never doubted.
    """
    theirs = {plain_name(name): column for column, name in enumerate(judge.labels)}
    if plain_name(label) not in theirs:
        return 1
    alike = (label, *implied(label), *unsure_with(label))
    best = max(float(row[theirs[plain_name(name)]]) for name in alike if plain_name(name) in theirs)
    return int((row > best).sum()) + 1


def _agreed(label: str, said: Sequence[_Said]) -> tuple[str, ...]:
    tops = [{judge.labels[column]: float(row[column]) for column in np.argsort(-row)[:_TOP]} for judge, row in said]
    return tuple(
        name for name in tops[0] if all(name in top for top in tops) and max(top[name] for top in tops) >= _SURE
    )


def as_markdown(found: Sequence[Disagreement], judges: Sequence[Judge]) -> str:
    """Return the list as a Markdown table."""
    lines = [
        f"{len(found)} labels that neither {' nor '.join(judge.name for judge in judges)} hears.",
        "",
        "| recording | of | label | ranks | both hear |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.clip.name} | {each.clip.repository or each.clip.source} | {each.label} | "
        f"{', '.join(map(str, each.ranks))} | {'; '.join(each.heard)} |"
        for each in found
    ]
    return "\n".join(lines)


def as_rows(found: Sequence[Disagreement]) -> list[dict[str, Any]]:
    """Return the list for JSON."""
    return [
        {
            "file": each.clip.name,
            "of": each.clip.repository or each.clip.source,
            "label": each.label,
            "ranks": list(each.ranks),
            "heard": list(each.heard),
        }
        for each in found
    ]
