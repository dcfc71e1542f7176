from pathlib import Path

import numpy as np
import pytest

from train.clipset import ClipSet
from train.data.clips import Clip
from train.export.card import write_card
from train.export.reliability import known_of, reliability
from train.labels import LabelTable

LABELS = LabelTable(("Crow", "Dog", "Wild animals"))


def _clips(patches: int) -> ClipSet:
    """Two recordings, a crow and a dog, of as many loud patches each, and one patch of silence more of the dog."""
    clips = tuple(Clip(name, Path(), "", (name,), name, "made") for name in ("Crow", "Dog"))
    truth = np.array([[True, False, False], [False, True, False]])
    sound = np.zeros((2 * patches + 1, 96, 64), np.float32)
    sound[-1] = -4.6
    owner = np.repeat([0, 1], [patches, patches + 1])
    return ClipSet(clips, (), sound, owner, truth, np.array([0, 1]), ())


def test_nothing_is_known_of_silence_nor_of_what_a_name_leaves_open() -> None:
    truth, known = known_of(_clips(1), LABELS)
    assert truth.tolist() == [[True, False, False], [False, True, False], [False, True, False]]
    assert known.tolist() == [[True, True, False], [True, True, False], [False, False, False]]


def test_scores_that_are_right_as_often_as_they_say_have_no_error_and_bold_ones_have_one() -> None:
    clips = _clips(10)
    scores = np.zeros((21, 3), np.float32)
    scores[:, 1] = 0.5  # right in the dog's ten of twenty known patches
    assert reliability([(clips, scores)], LABELS) == {
        "windows": 20,
        "error": 0.0,
        "bins": [{"from": 0.5, "to": 0.6, "scores": 20, "mean": 0.5, "right": 0.5}],
    }
    scores[:, 1] = 0.9
    assert reliability([(clips, scores)], LABELS)["error"] == pytest.approx(0.4, abs=1e-4)


def test_the_card_draws_each_bin_with_the_mean_score_as_a_line() -> None:
    scores = np.full((21, 3), 0.5, np.float32)
    found = reliability([(_clips(10), scores)], LABELS)
    manifest = {
        "name": "tiny",
        "version": "1",
        "created": "today",
        "labels": {"count": 3},
        "network": {"name": "tagnet", "weights": 1, "multiplies": 1},
        "metrics": {"fold": {"top_1": 1.0}},
        "judged_by": "model.onnx",
        "data": {"method": [], "mn04": False, "test_fold": 1, "labels": {"Dog": {"recordings": 1}}, "clips": 1},
        "reliability": found,
    }
    card = write_card(manifest, [{"set": "made"}], [])
    assert "| score | scores | mean score | share that is right |" in card
    assert "20 windows of the held-back recordings" in card
    assert card.count("┃") == 2
