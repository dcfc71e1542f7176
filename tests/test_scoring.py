"""The one way from patches to scores, rolling scores and events."""

from collections.abc import Sequence

import numpy as np
import pytest

from streamtag.audio import PATCH_HOP, PATCH_SAMPLES, Patch
from streamtag.events import EventRules
from streamtag.labels import LabelSet
from streamtag.model import Model
from streamtag.runtimes import Embedded
from streamtag.scoring import Heads, Judging, ScoreStage
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
    return ScoreStage(MODEL, Loudness(), Judging(EventRules(LABELS, EventSettings()), rolling=3), max_batch=16)


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
    scores, embeddings = stage.score(patches, embeds=True)
    np.testing.assert_array_equal(scores, stage.score(patches).scores)
    assert stage.score(patches).embeddings is None
    np.testing.assert_array_equal(embeddings, windows[:, 3:7])


def test_other_rules_count_from_the_next_patch_and_a_rolling_score_begins_anew_only_with_its_length(
    stage: ScoreStage, windows: np.ndarray
) -> None:
    memory = stage.memory()
    patches = patches_of([0] * 7, np.full_like(windows, 0.6))
    began = stage.run([memory] * 3, patches[:3]).scores
    assert [event.state for event in began[0].events] == ["on"] * 3
    rules = EventRules(LABELS, EventSettings(on=0.9, off=0.8, hold_seconds=0.0))
    stage.judging = stage.judging._replace(rules=rules)
    assert memory.go_by(stage.judging) == []
    after = stage.run([memory], patches[3:4]).scores[0]
    assert [event.state for event in after.events] == ["off"] * 3


def judging(taught: Sequence[str], groups: dict[str, list[str]], heads: Heads | None = None) -> Judging:
    return Judging(EventRules(LabelSet(LABELS.of_model, {}, taught, groups), EventSettings()), 3, heads)


class Taught:
    """Heads whose scores are the first numbers of an embedding."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        return np.asarray(embeddings[:, : len(self.names)])


def test_behind_the_models_labels_come_the_taught_ones_and_then_groups_with_their_highest_score(
    windows: np.ndarray,
) -> None:
    groups = {"pets": ["dog", "cat"], "noises": ["rain", "bell"]}
    stage = ScoreStage(MODEL, Loudness(), judging(["bell"], groups, Taught("bell")), max_batch=16)
    rows = stage.run([stage.memory()] * 7, patches_of([0] * 7, windows)).rows[:, 0]
    assert stage.labels.names == ("dog", "cat", "rain", "bell", "pets", "noises")
    np.testing.assert_array_equal(rows[:, :4], windows[:, :4])
    np.testing.assert_array_equal(rows[:, 4], windows[:, :2].max(axis=1))
    np.testing.assert_array_equal(rows[:, 5], windows[:, 2:4].max(axis=1))


def test_a_label_taught_or_removed_leaves_the_others_as_they_are(windows: np.ndarray) -> None:
    windows[:, :4] = 0.6
    windows[:, 1] = np.linspace(0.51, 0.6, 7)
    patches = patches_of([0] * 7, windows)
    groups = {"pets": ["dog", "cat"]}
    plain = ScoreStage(MODEL, Loudness(), judging([], groups), max_batch=16)
    untouched = plain.memory()
    expected = plain.run([untouched] * 7, patches).rows
    ends = {event.label: event for event in untouched.events.finish()}

    stage = ScoreStage(MODEL, Loudness(), judging([], groups), max_batch=16)
    memory = stage.memory()
    first = stage.run([memory] * 3, patches[:3]).rows
    stage.judging = judging(["bell"], groups, Taught("bell"))
    assert memory.go_by(stage.judging) == []
    second = stage.run([memory] * 2, patches[3:5])
    assert second.scores[0].events[0].label == "bell"
    stage.judging = judging([], groups)
    gone = memory.go_by(stage.judging)
    assert [(event.label, event.state, event.offset) for event in gone] == [("bell", "off", second.scores[1].end)]
    third = stage.run([memory] * 2, patches[5:]).rows
    np.testing.assert_array_equal(second.rows[:, 1, 3], windows[3:5, 3])  # its rolling score begins with its first
    others = np.concatenate([first, second.rows[:, :, [0, 1, 2, 4]], third])
    assert others.tobytes() == expected.tobytes()
    kept = {event.label: event for event in memory.events.finish()}
    assert {label: (event.onset, event.peak, event.index) for label, event in kept.items()} == {
        label: (event.onset, event.peak, event.index) for label, event in ends.items()
    }


def test_scores_that_are_no_numbers_are_taken_as_0_counted_and_told_in_one_line(
    stage: ScoreStage, windows: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    windows[2, 1], windows[5, :3] = np.nan, np.inf
    rows = stage.run([stage.memory()] * 7, patches_of([0] * 7, windows)).rows
    assert np.isfinite(rows).all()
    assert rows[2, 0].tolist() == [windows[2, 0], 0, windows[2, 2]]
    assert stage.bad_patches == 2
    stage.run([stage.memory()] * 7, patches_of([0] * 7, windows))
    assert stage.bad_patches == 4
    assert [record.getMessage() for record in caplog.records] == [
        "model default gives scores that are not finite, 2 patches so far: they are taken as 0; get it again"
    ]
