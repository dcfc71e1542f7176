"""The experiments: which conditions are compared, and what the paper found."""

from collections.abc import Callable
from pathlib import Path

import torch

from streamtag.errors import ConfigError
from train.clipset import ClipSet
from train.data.sets import Collection, collect
from train.experiments.esc50 import esc50
from train.experiments.narrow import narrowed
from train.experiments.shares import SHARES, share_name, share_of
from train.experiments.sources import sources
from train.experiments.tables import Paper, as_markdown
from train.experiments.transfer import transfer
from train.experiments.trial import Outcome, attempt, make_cache, with_fit
from train.labels import LabelTable
from train.networks import NETWORKS, make_network
from train.settings import Settings

_ARCHITECTURES: Paper = {
    "fully_connected": (0.851, 1.471, 0.058),
    "alexnet": (0.894, 1.764, 0.115),
    "vgg": (0.911, 1.911, 0.161),
    "inception_v3": (0.918, 1.969, 0.181),
    "resnet50": (0.916, 1.952, 0.182),
}
"""Table 2 of Hershey et al. 2017."""

_LABELS: Paper = {
    "all labels": (0.930, 2.087, 0.381),
    "judged labels alone": (0.928, 2.067, 0.376),
    "all labels, 128-unit bottleneck": (0.919, 1.982, 0.347),
    "judged labels alone, 128-unit bottleneck": (0.924, 2.026, 0.365),
}
"""Table 3: 3 K labels and 400 labels, judged on the same 400, without and with the bottleneck."""

_DATA_SIZE: Paper = {
    "100 %": (0.923, 2.019, 0.206),
    "10 %": (0.922, 2.006, 0.202),
    "1 %": (0.921, 1.997, 0.203),
}
"""Table 4: 70 M, 7 M and 700 K videos."""

_TRANSFER: Paper = {"log-mel": (0.904, 1.846, 0.137), "embedding": (0.959, 2.452, 0.314)}
"""Section 4.6: a shallow network on log-mel patches and on ResNet-50's embedding, Audio Set."""


def _judged(collection: Collection) -> tuple[ClipSet, list[str]]:
    """Return the test fold's clips with truth for its own labels alone, and those labels."""
    if not collection.split.fold:
        raise ConfigError("an experiment is judged on the test fold: set [data] test_fold")
    names = sorted({label for clip in collection.split.fold for label in clip.labels})
    return ClipSet.of(collection.split.fold, LabelTable(tuple(names))), names


def architectures(settings: Settings, collection: Collection) -> str:
    """Compare the paper's five networks and ours."""
    tests, judged = _judged(collection)
    labels = collection.labels
    cache = make_cache(collection.split.train, labels, settings, settings.output / "cache")
    outcomes = []
    for name in NETWORKS:
        condition = with_fit(settings, name, network=name)
        begin = None
        if name in _ARCHITECTURES and settings.narrow > 1:
            torch.manual_seed(settings.fit.seed)
            begin = narrowed(make_network(name, len(labels)), settings.narrow)
        outcomes.append(attempt(name, condition, cache, labels.names, tests, judged, begin))
    widths = f", the paper's with all channels and units divided by {settings.narrow}" if settings.narrow > 1 else ""
    about = (
        f"The paper's five networks and ours{widths}, on the same windows for the same number of steps (table 2 of the "
        "paper)."
    )
    return as_markdown("Architectures", about, outcomes, _ARCHITECTURES, settings)


def label_counts(settings: Settings, collection: Collection) -> str:
    """Compare training on all labels with training on the judged ones, with and without a bottleneck."""
    tests, judged = _judged(collection)
    labels = collection.labels
    cache = make_cache(collection.split.train, labels, settings, settings.output / "cache")
    few = cache.narrowed([labels.index(name) for name in judged])
    outcomes: list[Outcome] = []
    for suffix, units in (("", 0), (", 128-unit bottleneck", 128)):
        for name, windows, names in (
            ("all labels", cache, labels.names),
            ("judged labels alone", few, tuple(judged)),
        ):
            condition = with_fit(settings, f"{len(names)}-{units}", bottleneck=units)
            outcomes.append(attempt(name + suffix, condition, windows, names, tests, judged))
    about = (
        f"{settings.fit.network} with outputs for all {len(labels)} labels and for the {len(judged)} judged ones "
        "alone, on the same windows (table 3 of the paper: ResNet-50 with 3 K and 400)."
    )
    return as_markdown("Label-set size", about, outcomes, _LABELS, settings)


def data_size(settings: Settings, collection: Collection) -> str:
    """Compare training on all recordings with training on shares of them, for the same number of steps."""
    tests, judged = _judged(collection)
    names = collection.labels.names
    outcomes = []
    for share in SHARES:
        clips = share_of(collection.split.train, share, settings.data.split_seed)
        folder = f"share-{round(100 * share)}"
        cache = make_cache(clips, collection.labels, settings, settings.output / folder / "cache")
        outcomes.append(attempt(share_name(share), with_fit(settings, folder), cache, names, tests, judged))
    about = (
        f"{settings.fit.network} on windows made from all {len(collection.split.train)} recordings and from shares of "
        "them (table 4 of the paper, from 70 M videos down; its figures stand beside the shares that both have)."
    )
    return as_markdown("Training-set size", about, outcomes, _DATA_SIZE, settings)


def transferred(settings: Settings, collection: Collection) -> str:
    """Compare a shallow network on log-mel patches with one on a bundle's embedding."""
    tests, _ = _judged(collection)
    outcomes = transfer(settings, collection.split.train, tests)
    about = (
        "A shallow network (one hidden layer of 512) on the log-mel patches themselves and on the packaged model's "
        "embedding of them, trained on the recordings of the other folds (section 4.6 of the paper). The embedding's "
        "network has learnt from those same recordings, never from the judged fold."
    )
    return as_markdown("Transfer", about, outcomes, _TRANSFER, settings)


EXPERIMENTS: dict[str, Callable[[Settings, Collection], str]] = {
    "architectures": architectures,
    "labels": label_counts,
    "data-size": data_size,
    "transfer": transferred,
    "esc50": esc50,
    "sources": sources,
}


def experiment(name: str, settings: Settings, page: Path) -> str:
    """Run an experiment and write its page.

    Raises:
        ConfigError: the settings give nothing to train or to judge on.
    """
    text = EXPERIMENTS[name](settings, collect(settings.data))
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text, encoding="utf-8")
    return text
