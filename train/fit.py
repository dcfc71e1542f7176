"""`python -m train fit`: from a TOML file to trained weights."""

from pathlib import Path

from train.clipset import ClipSet
from train.data.sets import Collection
from train.loop import train
from train.prepare import prepare, say
from train.settings import Settings


def test_sets(collection: Collection) -> dict[str, ClipSet]:
    """Return the recordings that a run is judged on, by name, without the empty sets."""
    parts = {
        "calibration": collection.split.calibration,
        "fold": collection.split.fold,
        "others": collection.split.others,
    }
    return {name: ClipSet.of(clips, collection.labels) for name, clips in parts.items() if clips}


def fit(settings: Settings) -> Path:
    """Render, train, and return the folder that holds the weights."""
    collection, cache = prepare(settings)
    tests = test_sets(collection)
    for name, clips in tests.items():
        for line in clips.skipped:
            say(f"skipped in {name}: {line}")
    train(settings, cache, collection.labels.names, tests)
    return settings.output
