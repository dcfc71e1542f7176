"""The one way from patches to scores, rolling scores and events."""

import numpy as np
import pytest

from streamtag.audio import PATCH_HOP, PATCH_SAMPLES, Patch
from streamtag.events import EventRules
from streamtag.labels import LabelSet
from streamtag.model import Model
from streamtag.runtimes import Embedded
from streamtag.scoring import ScoreStage
from streamtag.settings import EventSettings

LABELS = LabelSet(["dog", "cat", "rain"])
MODEL = Model("default", "tiny", "a stand-in", LABELS)


class Loudness:
    """A runtime whose scores are the first three samples of a window, and whose embeddings are those after them."""

    name, device, precision = "loudness", "nowhere", "float32"

    def run(self, patches: np.ndarray) -> np.ndarray:
        raise AssertionError("it was given patches")

    def embed(self, patches: np.ndarray) -> Embedded:
        raise AssertionError("it was given patches")

    def run_windows(self, windows: np.ndarray) -> np.ndarray:
        return windows[:, :3].copy()

    def embed_windows(self, windows: np.ndarray) -> Embedded:
        return Embedded(windows[:, :3].copy(), windows[:, 3:7].copy())


@pytest.fixture
def stage() -> ScoreStage:
    return ScoreStage(MODEL, Loudness(), EventRules(LABELS, EventSettings()), rolling=3, max_batch=16)


@pytest.fixture
def windows() -> np.ndarray:
    return np.random.default_rng(0).uniform(size=(7, PATCH_SAMPLES)).astype(np.float32)


def patches_of(whose: list[int], windows: np.ndarray) -> list[Patch]:
    return [
        Patch(whose[:place].count(stream) * PATCH_HOP, windows[place], float(place), -20.0, -10.0)
        for place, stream in enumerate(whose)
    ]


def test_a_batch_scores_as_its_patches_do_one_by_one(stage: ScoreStage, windows: np.ndarray) -> None:
    whose = [0, 1, 0, 2, 0, 0, 1]
    patches = patches_of(whose, windows)
    singly, together = ([stage.memory() for _ in range(3)] for _ in range(2))
    expected = [stage.run([singly[one]], [patch]).scores[0] for one, patch in zip(whose, patches, strict=True)]
    batch = stage.run([together[stream] for stream in whose], patches)
    for one, other, rows in zip(batch.scores, expected, batch.rows, strict=True):
        assert one.rows.tobytes() == other.rows.tobytes() == rows.tobytes()
        assert (one.start, one.end, one.time, one.events) == (other.start, other.end, other.time, other.events)
    assert any(one.events for one in batch.scores)


def test_rolling_scores_are_the_mean_of_the_streams_own_last_patches(stage: ScoreStage, windows: np.ndarray) -> None:
    memory = stage.memory()
    batch = stage.run([memory] * 7, patches_of([0] * 7, windows))
    for place, scores in enumerate(batch.scores):
        np.testing.assert_array_equal(scores.patch, windows[place, :3])
        np.testing.assert_allclose(scores.rolling, windows[max(0, place - 2) : place + 1, :3].mean(axis=0), rtol=1e-6)


def test_embeddings_come_with_the_scores_in_one_call(stage: ScoreStage, windows: np.ndarray) -> None:
    patches = patches_of([0] * 7, windows)
    scores, embeddings = stage.embed(patches)
    np.testing.assert_array_equal(scores, stage.score(patches))
    np.testing.assert_array_equal(embeddings, windows[:, 3:7])


def test_other_rules_count_from_the_next_patch_and_a_rolling_score_begins_anew_only_with_its_length(
    stage: ScoreStage, windows: np.ndarray
) -> None:
    memory = stage.memory()
    patches = patches_of([0] * 7, np.full_like(windows, 0.6))
    began = stage.run([memory] * 3, patches[:3]).scores
    assert [event.state for event in began[0].events] == ["on"] * 3
    stage.rules = EventRules(LABELS, EventSettings(on=0.9, off=0.8, hold_seconds=0.0))
    memory.set(stage.rules, stage.rolling)
    after = stage.run([memory], patches[3:4]).scores[0]
    assert [event.state for event in after.events] == ["off"] * 3
