"""The models of a service, by the names under which streams refer to them."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from streamtag.bundle import Bundle
from streamtag.engine.changes import check
from streamtag.engine.learning import Learnt
from streamtag.errors import BundleError, RuntimeUnavailableError
from streamtag.events import EventRules
from streamtag.labels import LabelSet
from streamtag.machine import resident_bytes
from streamtag.model import DEFAULT, Model
from streamtag.runtimes import ListRuntime, Runtime, open_runtime
from streamtag.scoring import Judging, ScoreStage
from streamtag.settings import Config, ModelSettings
from streamtag.workers import Open, ScoringWorker, end_workers, open_in_workers

__all__ = ["Models", "OpenModel"]

logger = logging.getLogger(__name__)


class OpenModel(NamedTuple):
    """A model of a service, opened for all threads that score.

    Attributes:
        model: what it is.
        runtimes: one for each of these threads.
        max_batch: the most patches in a batch.
    """

    model: Model
    runtimes: Sequence[Runtime | ListRuntime]
    max_batch: int


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """All models of a service at a time, and what their streams are scored on; other settings make another one.

    Attributes:
        settings: of each model.
        opened: the models.
        judging: of each, what its streams are scored on and judged by.
        workers: the processes in which they are open; none where they are in this one.
    """

    settings: Mapping[str, ModelSettings]
    opened: Mapping[str, OpenModel]
    judging: Mapping[str, Judging]
    workers: Sequence[ScoringWorker] = ()

    @classmethod
    def open(
        cls,
        config: Config,
        learnt: Learnt,
        before: "Models | None" = None,
        begin: Callable[[Config], Sequence[ScoringWorker]] = lambda _: (),
    ) -> "Models":
        """Open what a configuration names.

        Args:
            config: the settings.
            learnt: what was taught.
            before: what is open already: models with the same settings stay, for as many threads go the others.
            begin: starts the processes in which they are to be open, where there is none `before`.

        Raises:
            BundleError: there is no such model, it is damaged, or it has no file for its runtime.
            RuntimeUnavailableError: a runtime that the configuration asks for is not there.
            ConfigError: the settings cannot be served, as `streamtag.engine.changes.check` says.
        """
        settings = {DEFAULT: config.model, **config.models}
        known = {} if before is None else before.opened
        kept = {name: each for name, each in known.items() if before and settings.get(name) == before.settings[name]}
        added = {name: each for name, each in settings.items() if name not in kept}
        bundles = _bundles(added)
        labels = {name: kept[name].model.labels if name in kept else bundles[name].label_set for name in settings}
        embedders = {name: kept[name].model.embedder if name in kept else bundles[name].embedder for name in settings}
        judging = _judging(config, labels, embedders, learnt)
        check(config, [each.rules.labels for each in judging.values()])
        workers = begin(config) if before is None else before.workers
        try:
            if workers:
                opened = {**kept, **_open_in(workers, added, bundles)}
            else:
                opened = {**kept, **_open(added, bundles, None if before is None else before.threads)}
        except BaseException:
            if before is None:
                end_workers(workers)
            raise
        return cls(settings, {name: opened[name] for name in settings}, judging, workers)

    def after(self, config: Config, learnt: Learnt) -> "Models":
        """Return the same models with what was taught by now.

        Raises:
            ConfigError: the settings name a label that is gone.
        """
        labels = {name: each.model.labels for name, each in self.opened.items()}
        embedders = {name: each.model.embedder for name, each in self.opened.items()}
        judging = _judging(config, labels, embedders, learnt)
        check(config, [each.rules.labels for each in judging.values()])
        return Models(self.settings, self.opened, judging, self.workers)

    @property
    def threads(self) -> int:
        """For how many threads that score they are open."""
        return len(self.opened[DEFAULT].runtimes)

    @property
    def labels(self) -> dict[str, LabelSet]:
        """Of each, what its streams are scored on."""
        return {name: each.rules.labels for name, each in self.judging.items()}

    def log_left_out(self, learnt: Learnt) -> None:
        """Say in the log which taught labels no model can use, a line each."""
        embedders = {each.model.embedder for each in self.opened.values()}
        for head in learnt.heads:
            if head.embedder not in embedders:
                why = f"it was taught another model ({head.embedder[:12]}); teach it again"
            elif any(head.name in (*each.of_model, *each.groups) for each in self.labels.values()):
                why = "the model or a group has that name; teach it under another"
            else:
                continue
            logger.warning("taught label %s is left out: %s", head.name, why)

    @property
    def by_name(self) -> dict[str, Model]:
        """The models themselves."""
        return {name: each.model for name, each in self.opened.items()}

    @property
    def by_model(self) -> dict[Model, Judging]:
        """What the streams of each are scored on and judged by."""
        return {each.model: self.judging[name] for name, each in self.opened.items()}

    @property
    def rules(self) -> list[EventRules]:
        """Of each, by what the events of its streams are judged."""
        return [each.rules for each in self.judging.values()]

    def stages(self, before: "Models | None" = None) -> list[dict[str, ScoreStage]]:
        """Return for each thread that scores its stage of each model that is not the one of this name `before`."""
        old = {} if before is None else before.opened
        return [
            {
                name: ScoreStage(each.model, each.runtimes[thread], self.judging[name], each.max_batch)
                for name, each in self.opened.items()
                if old.get(name) is not each
            }
            for thread in range(self.threads)
        ]


def _bundles(settings: Mapping[str, ModelSettings]) -> dict[str, Bundle]:
    bundles = {}
    for name, each in settings.items():
        with _naming(name):
            bundles[name] = Bundle.open(each.bundle)
    return bundles


def _judging(
    config: Config, labels: Mapping[str, LabelSet], embedders: Mapping[str, str], learnt: Learnt
) -> dict[str, Judging]:
    judging = {}
    for name, each in labels.items():
        taught = learnt.of(each, embedders[name], config.groups)
        thresholds = {**each.thresholds, **(taught.thresholds if taught else {})}
        of_all = LabelSet(each.of_model, thresholds, taught.names if taught else (), config.groups)
        judging[name] = Judging(EventRules(of_all, config.events), config.scores.rolling, taught, learnt.raised)
    return judging


def _open(
    settings: Mapping[str, ModelSettings], bundles: Mapping[str, Bundle], threads: int | None
) -> dict[str, OpenModel]:
    """Open models for so many threads; None: one for each core, where something else than the CPU runs a model one."""
    runtimes: dict[str, list[Runtime]] = {name: [] for name in bundles}
    sizes = dict.fromkeys(bundles, 0)

    def open_once(name: str, library: str) -> None:
        before = resident_bytes()
        with _naming(name):
            most, server = settings[name].max_batch, settings[name].triton
            runtimes[name].append(open_runtime(bundles[name], library, max_batch=most, server=server))
        sizes[name] += max(0, resident_bytes() - before)

    for name, each in settings.items():
        open_once(name, each.runtime)
    if threads is None:
        is_cpu = all(runtime.device == "CPU" for opened in runtimes.values() for runtime in opened)
        threads = len(os.sched_getaffinity(0)) if is_cpu else 1
    for name, opened in runtimes.items():
        while len(opened) < threads:
            open_once(name, opened[0].name)  # what was chosen, and told, once
    return {
        name: OpenModel(
            Model.of(name, bundle, runtimes[name][0], sizes[name]), runtimes[name], settings[name].max_batch
        )
        for name, bundle in bundles.items()
    }


def _open_in(
    workers: Sequence[ScoringWorker], settings: Mapping[str, ModelSettings], bundles: Mapping[str, Bundle]
) -> dict[str, OpenModel]:
    """Open models in processes."""
    found = {}
    for name, bundle in bundles.items():
        wanted, geometry = settings[name], bundle.geometry
        order = Open(wanted.bundle, wanted.runtime, geometry.batch(wanted.max_batch), geometry.samples)
        with _naming(name):
            runtimes = open_in_workers(workers, order)
        memory = sum(runtime.memory_bytes for runtime in runtimes)
        found[name] = OpenModel(Model.of(name, bundle, runtimes[0], memory), runtimes, wanted.max_batch)
    return found


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Have errors say which of several models they are about."""
    try:
        yield
    except (BundleError, RuntimeUnavailableError) as error:
        if name == DEFAULT:
            raise
        raise type(error)(f"[models.{name}]: {error}") from error
