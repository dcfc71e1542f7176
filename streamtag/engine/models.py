"""The models of a service, by the names under which streams refer to them."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from streamtag.bundle import Bundle
from streamtag.events import EventRules
from streamtag.labels import LabelSet
from streamtag.model import DEFAULT, Model
from streamtag.runtimes import open_runtime
from streamtag.scoring import ScoreStage
from streamtag.settings import Config, ModelSettings

__all__ = ["OpenModels", "bundles_of", "label_sets", "open_models", "rules_of"]


class OpenModels(NamedTuple):
    """What a service scores with.

    Attributes:
        models: by name.
        stages: of each thread that scores, its stage of each model.
    """

    models: dict[str, Model]
    stages: list[dict[str, ScoreStage]]


def settings_of(config: Config) -> dict[str, ModelSettings]:
    """Return the settings of each model that a configuration names: `[model]`."""
    return {DEFAULT: config.model}


def bundles_of(config: Config) -> dict[str, Bundle]:
    """Open the bundle of each model.

    Raises:
        BundleError: there is no such bundle, or it is damaged.
    """
    return {name: Bundle.open(settings.bundle) for name, settings in settings_of(config).items()}


def label_sets(bundles: Mapping[str, Bundle]) -> dict[str, LabelSet]:
    """Return what each model scores."""
    return {name: bundle.label_set for name, bundle in bundles.items()}


def rules_of(config: Config, labels: Mapping[str, LabelSet]) -> dict[str, EventRules]:
    """Return by what the events of each model's streams are judged."""
    return {name: EventRules(each, config.events) for name, each in labels.items()}


def open_models(config: Config, bundles: Mapping[str, Bundle]) -> OpenModels:
    """Open each model once for each core; where something else than the CPU runs one, one thread feeds them all.

    Raises:
        BundleError: a bundle has no file for its runtime.
        RuntimeUnavailableError: a runtime that the configuration asks for is not there.
    """
    settings = settings_of(config)
    names: dict[str, str] = {name: each.runtime for name, each in settings.items()}
    rules = rules_of(config, label_sets(bundles))
    models: dict[str, Model] = {}
    threads: list[dict[str, ScoreStage]] = []
    while len(threads) < len(os.sched_getaffinity(0)):
        stages = {}
        is_cpu = True
        for name, bundle in bundles.items():
            most = settings[name].max_batch
            runtime = open_runtime(bundle, names[name], max_batch=most, server=settings[name].triton)
            names[name] = runtime.name  # chosen, and told, once
            models.setdefault(name, Model.of(name, bundle, runtime))
            stages[name] = ScoreStage(models[name], runtime, rules[name], config.scores.rolling, most)
            is_cpu &= runtime.device == "CPU"
        threads.append(stages)
        if not is_cpu:
            break
    return OpenModels(models, threads)
