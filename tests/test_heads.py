"""A taught label's file, and what scores it."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamtag.errors import InputError
from streamtag.heads import (
    Examples,
    Figures,
    Head,
    HeadError,
    Heads,
    check_name,
    head_file,
    read_head,
    read_heads,
    remove_head,
    write_head,
)

RANDOM = np.random.default_rng(3)


def head(name: str = "Our doorbell", size: int = 16, embedder: str = "a" * 64) -> Head:
    positives = Examples(
        RANDOM.normal(size=(3, size)).astype(np.float16).astype(np.float32), ["a.wav", "a.wav", "b.wav"]
    )
    figures = Figures(positives=3, recordings=2, negatives=0, weak=600, precision=1.0, recall=0.5, words="rough")
    weights = RANDOM.normal(size=size).astype(np.float32)
    return Head(name, embedder, weights, -0.25, 0.5, 0.3, figures, positives, Examples.none(size))


def test_a_head_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = head()
    found = read_head(write_head(tmp_path / "heads", written))
    assert (found.name, found.embedder, found.bias, found.on, found.off) == ("Our doorbell", "a" * 64, -0.25, 0.5, 0.3)
    assert found.figures == written.figures
    np.testing.assert_array_equal(found.weights, written.weights)
    np.testing.assert_array_equal(found.positives.vectors, written.positives.vectors)
    assert found.positives.sources == ["a.wav", "a.wav", "b.wav"]
    assert len(found.negatives.sources) == 0


@pytest.mark.parametrize("name", ["a/b", "..", "Türklingel 門鈴 🔔", "x" * 80, "門" * 80, ".hidden", "50 % [loud]"])
def test_any_name_that_can_be_shown_names_a_file_in_the_folder(name: str, tmp_path: Path) -> None:
    path = write_head(tmp_path, head(name))
    assert path.parent == tmp_path
    assert [each.name for each in read_heads(tmp_path)[0]] == [name]
    assert remove_head(tmp_path, name)
    assert not remove_head(tmp_path, name)


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "two\nlines", "\x1b[31m"])
def test_a_name_that_cannot_be_shown_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot name a label"):
        check_name(name)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"hello",
        lambda content: content.replace(b'"on": 0.5', b'"on": 7.5'),
        lambda content: content.replace(b'"format": 1', b'"format": 2'),
    ],
    ids=["half", "empty", "text", "threshold", "later"],
)
def test_a_damaged_file_is_one_line_and_the_others_are_read(spoil: Callable[[bytes], bytes], tmp_path: Path) -> None:
    write_head(tmp_path, head("Good"))
    path = write_head(tmp_path, head("Bad"))
    path.write_bytes(spoil(path.read_bytes()))
    heads, (error,) = read_heads(tmp_path)
    assert [each.name for each in heads] == ["Good"]
    assert "Bad.head.npz" in str(error)
    assert "\n" not in str(error)


def test_a_folder_that_is_not_there_holds_none(tmp_path: Path) -> None:
    assert read_heads(tmp_path / "none") == ([], [])
    with pytest.raises(HeadError, match="cannot be read: No such file"):
        read_head(head_file(tmp_path, "none"))


def test_a_full_disk_leaves_the_head_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = write_head(tmp_path, head()).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_head(tmp_path, head())
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


def test_scores_are_the_logistic_function_of_directions_and_finite_for_whatever_comes() -> None:
    first, second = head("a"), head("b")
    vectors = RANDOM.normal(size=(5, 16)).astype(np.float32)
    vectors[3], vectors[4] = 0.0, 1e30
    scores = Heads([first, second]).score(vectors)
    directions = vectors[:3] / np.linalg.norm(vectors[:3], axis=1, keepdims=True)
    for column, each in enumerate((first, second)):
        expected = 1 / (1 + np.exp(-(directions @ each.weights + each.bias)))
        np.testing.assert_allclose(scores[:3, column], expected, rtol=1e-5)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores, Heads([first, second]).score(vectors * 4), rtol=1e-4)


def test_another_process_makes_the_same_of_what_is_packed() -> None:
    heads = Heads([head("a"), head("b")])
    vectors = RANDOM.normal(size=(4, 16)).astype(np.float32)
    again = Heads(heads.pack())
    assert (again.names, again.thresholds) == (heads.names, heads.thresholds)
    np.testing.assert_array_equal(again.score(vectors), heads.score(vectors))


def test_a_model_gets_its_own_heads_whose_names_are_free() -> None:
    found = Heads.of([head("a"), head("Dog"), head("b", embedder="f" * 64)], "a" * 64, ["Dog"])
    assert found is not None
    assert found.names == ["a"]
    assert Heads.of([head("a")], "f" * 64, []) is None
