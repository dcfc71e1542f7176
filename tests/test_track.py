import numpy as np

from streamtag.audio import PATCH_HOP, Patch
from streamtag.events import EventRules
from streamtag.settings import EventSettings
from streamtag.track import Track

LABELS = ["dog", "cat", "rain"]
RULES = EventRules(LABELS, EventSettings())


def test_a_batch_scores_as_its_patches_do_one_by_one() -> None:
    whose = [0, 1, 0, 2, 0, 0, 1]
    scores = np.random.default_rng(0).uniform(size=(len(whose), len(LABELS))).astype(np.float32)
    patches = [
        Patch(whose[:place].count(stream) * PATCH_HOP, np.empty(0, np.float32), float(place), -20.0, -10.0)
        for place, stream in enumerate(whose)
    ]

    def rows() -> np.ndarray:
        return np.stack([scores, np.zeros_like(scores)], axis=1)

    singly, together = ([Track(RULES, 3) for _ in range(3)] for _ in range(2))
    ones = zip(whose, patches, rows(), RULES.reached(scores), strict=True)
    expected = [Track.push_all([singly[one]], [patch], row[None], [labels])[0] for one, patch, row, labels in ones]
    results = Track.push_all([together[stream] for stream in whose], patches, rows(), RULES.reached(scores))
    for one, other in zip(results, expected, strict=True):
        assert one.rows.tobytes() == other.rows.tobytes()
        assert (one.start, one.end, one.time, one.events) == (other.start, other.end, other.time, other.events)
    assert any(one.events for one in results)
