"""Labels taught by examples, and what cannot be taught."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamtag.bundle import Bundle, installed
from streamtag.errors import InputError
from streamtag.heads import Examples, HeadError, read_head
from streamtag.history import Verdict, write_verdict
from streamtag.history.embeddings import Embedding
from streamtag.history.store import Store
from streamtag.settings import HistorySettings
from streamtag.teaching import Teacher
from streamtag.teaching.background import background, background_file
from tests.teaching.conftest import around


def test_each_packaged_model_brings_its_own_background_and_no_other_lies_there() -> None:
    bundles = [Bundle.open(name) for name in installed()]
    files = {background_file(bundle.embedder) for bundle in bundles}
    assert set(background_file("").parent.iterdir()) == files
    assert all(len(background(bundle)) >= 500 for bundle in bundles)


def test_a_taught_label_hears_its_sound_and_nothing_else(
    teacher: Teacher, middle: NDArray[np.float32], everything: NDArray[np.float32]
) -> None:
    head = teacher.teach("Our doorbell", around(middle, 5))
    others = around(middle, 20, seed=7)
    assert (head.score(others.vectors) >= head.on).mean() > 0.8
    assert (head.score(everything) >= head.on).mean() < 0.01
    assert head.figures.recordings == 5
    assert head.figures.average_precision == pytest.approx(1.0)
    assert head.figures.words.startswith("10 windows of five recordings: rough (5 of 5 recordings were found")
    assert [each.name for each in teacher.heads()] == ["Our doorbell"]


def test_one_example_is_told_to_be_too_few_and_fires_for_little_else(
    teacher: Teacher, middle: NDArray[np.float32], everything: NDArray[np.float32]
) -> None:
    head = teacher.teach("Once", around(middle, 1, windows=1))
    assert head.figures.words == "one window of one recording: too few to judge; 10 from different days would do"
    assert head.figures.precision is None
    assert head.score(around(middle, 1, windows=1).vectors)[0] >= head.on
    assert (head.score(everything) >= head.on).mean() < 0.01


def test_without_an_example_nothing_is_taught(teacher: Teacher) -> None:
    with pytest.raises(HeadError, match="there is no example that can be heard"):
        teacher.teach("Nothing", Examples.none())
    assert teacher.heads() == []


def test_an_example_that_is_a_counter_example_too_is_named(teacher: Teacher, middle: NDArray[np.float32]) -> None:
    examples = around(middle, 2)
    with pytest.raises(HeadError, match=r"1\.wav: the same sound is an example and a counter-example"):
        teacher.teach("Both", examples, Examples(examples.vectors[2:3], ["1.wav"]))


def test_a_name_that_the_model_or_a_group_has_is_refused(teacher: Teacher, middle: NDArray[np.float32]) -> None:
    for name in ("Dog", " dog ", "any DOG"):
        with pytest.raises(InputError, match="choose another name"):
            teacher.teach(name, around(middle, 1))


def test_ten_thousand_examples_take_little_longer_than_two_thousand(
    teacher: Teacher, middle: NDArray[np.float32]
) -> None:
    begin = time.process_time()
    head = teacher.teach("Often", around(middle, 5000))
    assert head.figures.positives == 10_000
    assert head.figures.words.startswith("10000 windows of 5000 recordings: good")
    assert len(head.positives.sources) == 2000  # the file stays small
    assert time.process_time() - begin < 60.0


def test_counter_examples_teach_what_it_is_not(teacher: Teacher, middle: NDArray[np.float32]) -> None:
    like = np.random.default_rng(5).normal(scale=np.abs(middle).mean(), size=len(middle)) + middle
    similar = around(like.astype(np.float32), 6, seed=3)
    before = teacher.teach("My bell", around(middle, 6)).score(similar.vectors).mean()
    after = teacher.teach("My bell", around(middle, 6), similar).score(similar.vectors).mean()
    assert after < before
    assert after < 0.5


def test_two_who_teach_at_once_leave_two_whole_labels(teacher: Teacher, middle: NDArray[np.float32]) -> None:
    def teach(name: str) -> None:
        for _ in range(2):
            teacher.teach(name, around(middle, 3))
            teacher.teach("Shared", around(middle, 3, seed=len(name)))

    both = [threading.Thread(target=teach, args=(name,)) for name in ("One", "Another")]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert [head.name for head in teacher.heads()] == ["Another", "One", "Shared"]


def test_a_head_of_a_model_that_was_replaced_is_not_taught_again(
    teacher: Teacher, middle: NDArray[np.float32], tmp_path: Path
) -> None:
    teacher.teach("My bell", around(middle, 3))
    other = Teacher(teacher.folder, Bundle.open("fast"))
    with pytest.raises(HeadError, match="My bell was taught another model: teach it again by its examples"):
        other.teach_again("My bell", tmp_path / "none.sqlite")


def test_what_people_said_of_its_events_is_learnt_and_can_be_taken_back(
    teacher: Teacher, middle: NDArray[np.float32], tmp_path: Path
) -> None:
    path = tmp_path / "history.sqlite"
    Store(path, HistorySettings()).close()
    wrong = around(middle, 1, windows=1, seed=11).vectors[0] * 0.5 + np.float32(0.2)
    before = teacher.teach("My bell", around(middle, 4), history=path).score(wrong[np.newaxis])[0]
    said = Verdict("yard", "My bell", 1.7e9, False, "ann", 0.0, 0.9, teacher.embedder, wrong)
    write_verdict(path, said)
    head = teacher.teach_again("My bell", path)
    assert head.figures.verdicts == 1
    assert head.score(wrong[np.newaxis])[0] < before


def test_windows_of_the_history_that_are_like_the_examples_are_not_taken_for_other_sound(
    teacher: Teacher, middle: NDArray[np.float32], tmp_path: Path
) -> None:
    path = tmp_path / "history.sqlite"
    store = Store(path, HistorySettings())
    rows = around(middle, 300, windows=1, seed=20).vectors
    store.write_embeddings([Embedding("yard", 1.7e9 + row, teacher.embedder, each) for row, each in enumerate(rows)])
    store.close()
    head = teacher.teach("My bell", around(middle, 5), history=path)
    assert (head.score(rows) >= head.on).mean() > 0.8
    assert read_head(next(teacher.folder.iterdir())).figures == head.figures
