"""Moments of a history that are like an example, and what follows from verdicts on them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamtag.errors import HistoryError
from streamtag.heads import Examples, HeadError
from streamtag.history import HistoryReader, raised, raised_on, read_verdicts
from streamtag.history.embeddings import Embedding
from streamtag.history.store import Begin, Store
from streamtag.settings import HistorySettings
from streamtag.teaching import (
    Teacher,
    examples_of_event,
    judge_event,
    judge_moment,
    search,
    search_by_head,
    withdraw,
)
from tests.teaching.conftest import around

NOW = 1_700_000_000.0


@pytest.fixture
def history(tmp_path: Path, teacher: Teacher, middle: NDArray[np.float32], everything: NDArray[np.float32]) -> Path:
    """Two hours of all kinds of sound, and three moments of the made one; the first of these began an event."""
    path = tmp_path / "history.sqlite"
    store = Store(path, HistorySettings(keep_days=36500))
    made = around(middle, 3, windows=1, seed=30).vectors
    store.write([Begin(0, "yard", "Dog", NOW + 1000, 1000.0, 0.6)])
    rows = [Embedding("yard", NOW + 19.2 * row, teacher.embedder, each) for row, each in enumerate(everything[:300])]
    rows += [
        Embedding("yard", NOW + 1000 + 100 * row, teacher.embedder, each, token=None if row else 0)
        for row, each in enumerate(made)
    ]
    store.write_embeddings(rows)
    store.close()
    return path


def test_the_likest_moments_come_first_with_what_began_there(
    history: Path, teacher: Teacher, middle: NDArray[np.float32]
) -> None:
    found = search(around(middle, 1, seed=9), history, teacher.embedder, top=5)
    assert sorted(each.time for each in found[:3]) == [NOW + 1000, NOW + 1100, NOW + 1200]
    assert len(found) == 5
    assert found[2].likeness > found[3].likeness + 0.2
    (event,) = [each.event for each in found if each.event]
    assert (event.label, event.stream) == ("Dog", "yard")
    assert len(search(around(middle, 1), history, teacher.embedder, since=NOW + 1150, top=1)) == 1


def test_more_like_an_event_begins_with_what_was_heard_there(history: Path, teacher: Teacher) -> None:
    (event,) = HistoryReader(history).search()
    examples = examples_of_event(history, event.id, teacher.embedder)
    assert search(examples, history, teacher.embedder, top=1)[0].time == event.time


def test_a_taught_label_finds_its_moments(history: Path, teacher: Teacher, middle: NDArray[np.float32]) -> None:
    head = teacher.teach("My bell", around(middle, 5), history=history)
    found = search_by_head(head, history, top=4)
    assert [each.likeness >= head.on for each in found] == [True, True, True, False]


def test_what_cannot_be_searched_is_one_line(history: Path, teacher: Teacher, middle: NDArray[np.float32]) -> None:
    with pytest.raises(HeadError, match=r"no embeddings of this model .* set \[history\] embeddings = true"):
        search(around(middle, 1), history, "f" * 64)
    with pytest.raises(HeadError, match="every example is silent"):
        search(Examples.none(), history, teacher.embedder)
    with pytest.raises(HistoryError, match="there is no history yet"):
        search(around(middle, 1), history.with_name("none.sqlite"), teacher.embedder)


def test_a_no_on_an_event_raises_its_label_there_and_can_be_withdrawn(history: Path, teacher: Teacher) -> None:
    (event,) = HistoryReader(history).search()
    said = judge_event(history, event.id, is_right=False, who="ann", teacher=teacher)
    assert said.verdict.who == "ann"
    (change,) = raised(read_verdicts(history), {"Dog": 0.5})
    assert (change.stream, change.label, change.before) == ("yard", "Dog", 0.5)
    assert change.on == pytest.approx(0.8)
    assert "the threshold is what it would be" in withdraw(history, said.verdict.event, teacher)
    assert raised(read_verdicts(history), {"Dog": 0.5}) == []
    with pytest.raises(HistoryError, match="there is no event 99 any more"):
        judge_event(history, 99, is_right=True, who="ann")


def test_a_no_on_a_moment_teaches_the_label(history: Path, teacher: Teacher, middle: NDArray[np.float32]) -> None:
    head = teacher.teach("My bell", around(middle, 5), history=history)
    found = search_by_head(head, history, top=1)[0]
    before = found.likeness
    said = judge_moment(history, found.id, "My bell", is_right=False, who="ann", teacher=teacher)
    assert said.words.startswith("My bell was taught again: ")
    (again,) = teacher.heads()
    (vector,) = (each.vector for each in read_verdicts(history))
    assert vector is not None
    assert again.figures.verdicts == 1
    assert again.score(vector[np.newaxis])[0] < before
    assert withdraw(history, said.verdict.event, teacher).startswith("taken back: 10 windows of five recordings")
    assert teacher.heads()[0].figures.verdicts == 0


@pytest.mark.parametrize(
    ("wrong", "right", "on"),
    [
        ([], [0.9], 0.5),
        ([0.6], [], 0.8),
        ([0.6], [0.7], 0.65),
        ([0.6], [0.55], 0.5),
        ([0.6, 0.62, 0.95], [0.9, 0.92], 0.76),
        ([0.4], [], 0.7),
        ([1.0], [], 1.0),
    ],
)
def test_a_threshold_is_raised_half_way_from_the_wrong_to_the_right(
    wrong: list[float], right: list[float], on: float
) -> None:
    assert raised_on(0.5, wrong, right) == pytest.approx(on)
    assert raised_on(0.5, wrong[::-1], right[::-1]) == raised_on(0.5, wrong, right)
