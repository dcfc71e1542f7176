"""`python -m train fit`: from a TOML file to trained weights."""

import copy
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch

from streamtag.bundle import Bundle
from streamtag.errors import ConfigError
from train.clipset import ClipSet, windows_of
from train.data.cache import Cache
from train.data.clips import Clip
from train.data.sets import Collection
from train.early_stopping import CALIBRATION
from train.from_bundle import description_of, network_of, with_labels
from train.labels import LabelTable
from train.last_layer import FITTED, fit_last_layer, save_last_layer
from train.loop import score_patches, train
from train.metrics import Metrics
from train.networks import make_network
from train.networks.blocks import Classifier
from train.networks.mobilenet_v3 import BANDS
from train.parallel import distributed
from train.prepare import prepare, say
from train.published.efficientat import begin_with, map_of_bands, read_mn04
from train.settings import Settings


def test_sets(collection: Collection) -> dict[str, ClipSet]:
    """Return the recordings that a run is judged on, by name, without the empty sets."""
    parts = {
        "calibration": collection.split.calibration,
        "fold": collection.split.fold,
        "others": collection.split.others,
        "held": collection.split.held,
    }
    return {name: ClipSet.of(clips, collection.labels) for name, clips in parts.items() if clips}


_MAP_CLIPS = 400
"""Recordings from which the map of a patch's bands to mn04's is taken."""


def begun(settings: Settings, clips: Sequence[Clip], labels: LabelTable) -> Classifier:
    """Return `mobilenet_v3` with mn04's weights; the map of its first layer is taken from some of the clips.

    Raises:
        ConfigError: the weights are missing or of another network, or the run's network is another.
    """
    assert settings.fit.weights is not None
    if settings.fit.network != "mobilenet_v3":
        raise ConfigError(f"[fit] weights go with network 'mobilenet_v3', not {settings.fit.network!r}")
    published = read_mn04(settings.fit.weights)
    some = ClipSet.of(clips[:: max(1, len(clips) // _MAP_CLIPS)], labels)
    torch.manual_seed(settings.fit.seed)
    network = make_network(settings.fit.network, len(labels), settings.fit.bottleneck)
    begin_with(network, published, map_of_bands(some.patches, windows_of(some), BANDS))
    return network


def fit(settings: Settings, bundle: Bundle | None = None) -> Path:
    """Render, train, and return the folder that holds the weights.

    Args:
        settings: of the run.
        bundle: a model to fine-tune; its network is taken, and its labels where the run has the same.

    Raises:
        StreamtagError: what cannot be read, written or brought together, in one line.
    """
    with distributed() as context:
        begin = None
        if bundle:
            settings = msgspec.structs.replace(
                settings, fit=msgspec.structs.replace(settings.fit, network=bundle.manifest["network"]["name"])
            )
        if context.first:
            collection, cache = prepare(settings)
            context.wait()
        else:
            context.wait()
            collection, cache = prepare(settings)
        if bundle:
            begin = with_labels(network_of(bundle), bundle.labels, collection.labels.names)
        elif settings.fit.weights:
            begin = begun(settings, collection.split.train, collection.labels)
        tests = test_sets(collection) if context.first else {}
        for name, clips in tests.items():
            for line in clips.skipped:
                say(f"skipped in {name}: {line}")
        names = collection.labels.names
        network = train(settings, cache, names, tests, context, begin, description_of(bundle) if bundle else None)
        if context.first and settings.render.plain:
            _fit_last_layer(settings, network, cache, collection, tests)
    return settings.output


def _fit_last_layer(
    settings: Settings, network: Classifier, cache: Cache, collection: Collection, tests: dict[str, ClipSet]
) -> None:
    """Fit the last layer and keep it, unless training left a better one by the calibration recordings.

    A body that has learnt few recordings by heart tells them apart all too well: what is fitted on it then is worse.
    """
    fitted = copy.deepcopy(network)
    fit_last_layer(fitted, cache, collection.split.train, collection.labels, settings.fit.seed)

    def judged(one: Classifier, clips: ClipSet) -> Metrics:
        return clips.judge(lambda patches: score_patches(one, patches, settings.fit.loss))

    if settings.fit.steps and CALIBRATION in tests:
        before, after = (judged(one, tests[CALIBRATION]) for one in (network, fitted))
        if after.top_1 + after.map < before.top_1 + before.map:
            (settings.output / FITTED).unlink(missing_ok=True)
            say(
                f"the last layer stays as it is; {CALIBRATION}: top-1 {before.top_1:.3f}, mAP {before.map:.3f}, "
                f"fitted anew {after.top_1:.3f}, {after.map:.3f}"
            )
            return
    save_last_layer(settings, fitted, collection.labels.names)
    for name, clips in tests.items():
        found = judged(fitted, clips)
        say(f"last layer fitted; {name}: top-1 {found.top_1:.3f}, mAP {found.map:.3f}")
