"""What people say of events, kept beside a service that writes the same file."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamtag.errors import HistoryError
from streamtag.history import History, HistoryReader, Verdict, read_verdicts, withdraw_verdict, write_verdict
from streamtag.history.store import Begin, Store
from streamtag.settings import HistorySettings
from tests.history.conftest import NOW, Clock, patch

WRONG = Verdict("yard", "Dog", NOW, is_right=False, who="ann", given=NOW + 60, peak=0.75)
VECTOR = np.arange(8, dtype=np.float32) - 3.5


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[Store]:
    with closing(Store(path, HistorySettings(max_megabytes=1.0), clock=clock)) as store:
        yield store


def test_a_verdict_is_kept_with_what_was_heard(store: Store, path: Path) -> None:
    write_verdict(path, replace(WRONG, embedder="this model", vector=VECTOR))
    (found,) = read_verdicts(path)
    assert found == replace(WRONG, embedder="this model")
    assert found.vector is not None
    np.testing.assert_allclose(found.vector, VECTOR, atol=0.02)


def test_a_second_verdict_takes_the_place_of_the_first(store: Store, path: Path) -> None:
    write_verdict(path, WRONG)
    write_verdict(path, replace(WRONG, is_right=True, who="bob", given=NOW + 61))
    assert [(each.is_right, each.who) for each in read_verdicts(path)] == [(True, "bob")]


def test_a_verdict_can_be_withdrawn(store: Store, path: Path) -> None:
    write_verdict(path, WRONG)
    assert withdraw_verdict(path, WRONG.event)
    assert not withdraw_verdict(path, WRONG.event)
    assert read_verdicts(path) == []


def test_verdicts_of_one_label_come_newest_first(store: Store, path: Path) -> None:
    for seconds, label in ((0, "Dog"), (1, "Cat"), (2, "Dog")):
        write_verdict(path, replace(WRONG, label=label, time=NOW + seconds, given=NOW + seconds))
    assert [each.time for each in read_verdicts(path, label="Dog")] == [NOW + 2, NOW]


def test_a_verdict_outlives_its_event_and_takes_no_room_from_others(store: Store, path: Path, clock: Clock) -> None:
    store.write([Begin(0, "yard", "Dog", NOW, 0.0, 0.75)])
    before = store.size()
    for number in range(300):
        write_verdict(path, replace(WRONG, time=NOW + number, embedder="m", vector=np.ones(512, np.float32)))
    assert store.size() < before + 60_000
    clock.go_on(2 * 86400.0)
    store._pruned = 0.0
    store.prune()
    assert HistoryReader(path).search() == []
    assert len(read_verdicts(path)) == 300


def test_the_newest_ten_thousand_are_kept(store: Store, path: Path) -> None:
    write_verdict(path, replace(WRONG, time=NOW - 1, given=NOW - 1))
    with store._base:
        store._base.execute(
            """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
            INSERT INTO verdicts SELECT 'e' || i, 'yard', 'Dog', i, 0, 'ann', ? + i, 0.5, NULL, NULL, NULL FROM n""",
            (NOW,),
        )
    store._pruned = 0.0
    store.prune()
    assert len(read_verdicts(path)) == 10_000
    assert not withdraw_verdict(path, replace(WRONG, time=NOW - 1).event)


def test_verdicts_and_events_are_written_at_the_same_time(keep: Callable[..., History], path: Path) -> None:
    history = keep(embeddings=True)
    history.embedding("yard", patch(0), "this model", VECTOR)
    history.begin("yard", 0, "Dog", 0.0, 0.5, NOW)
    while not history.settle(0.2):
        pass  # it is being opened

    def judge(who: str) -> None:
        for number in range(40):
            write_verdict(path, replace(WRONG, time=NOW + number, who=who, label=who))

    judges = [threading.Thread(target=judge, args=(who,)) for who in ("ann", "bob")]
    for each in judges:
        each.start()
    for number in range(1, 200):
        history.begin("yard", number, "Dog", number, 0.5, NOW + number)
    for each in judges:
        each.join()
    history.stop(20.0)
    assert len(read_verdicts(path)) == 80
    assert len(HistoryReader(path).search(limit=1000)) == 200
    assert history.dropped == 0


def test_without_a_history_there_is_nothing_to_judge(path: Path) -> None:
    assert read_verdicts(path) == []
    with pytest.raises(HistoryError, match=r"history\.sqlite: there is no history yet"):
        write_verdict(path, WRONG)
    assert not path.exists()
