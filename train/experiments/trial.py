"""One trial: a network trained under one condition and judged on clips that it never saw."""

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch

from streamtag.machine import processor, version_of
from train.clipset import ClipSet
from train.data.bank import make_bank
from train.data.cache import Cache
from train.data.clips import Clip, load_all
from train.data.make import fill
from train.labels import LabelTable
from train.loop import score_patches, train
from train.metrics import Metrics, measure
from train.networks.blocks import Classifier
from train.parallel import DistributedContext
from train.prepare import progress_line, say
from train.settings import Settings


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial found: clip-level metrics, and the minutes that training took."""

    name: str
    metrics: Metrics
    minutes: float


def make_cache(clips: Sequence[Clip], labels: LabelTable, settings: Settings, folder: Path) -> Cache:
    """Return a cache of windows made from the clips, rendering what it lacks."""
    kept, sounds, skipped = load_all(clips)
    for line in skipped:
        say(f"skipped: {line}")
    made_by = {"render": msgspec.to_builtins(settings.render), "clips": [clip.name for clip in kept]}
    cache = Cache.open(folder, labels.names, made_by)
    bank = make_bank(kept, sounds, [], labels, settings.render.label_power)
    fill(cache, bank, settings.render, None, settings.processes, settings.shard, progress_line(folder.name))
    return cache


def attempt(
    name: str,
    settings: Settings,
    cache: Cache,
    names: tuple[str, ...],
    tests: ClipSet,
    judged: Sequence[str],
    begin: Classifier | None = None,
) -> Outcome:
    """Train under one condition and judge.

    Args:
        name: of the condition.
        settings: of the training; its output folder keeps the checkpoint.
        cache: windows with the labels `names`.
        names: what the network has outputs for.
        tests: whole clips, with truth for the labels `judged` in that order.
        judged: the labels that count.
        begin: the network to train; without it a fresh one of the settings.
    """
    say(f"== {name}")
    start = time.monotonic()
    network = train(settings, cache, names, {}, DistributedContext(0, 1, torch.device("cpu")), begin)
    minutes = (time.monotonic() - start) / 60
    scores = tests.means(score_patches(network, tests.patches, settings.fit.loss))
    columns = np.array([names.index(label) for label in judged])
    return Outcome(name, measure(scores[:, columns], tests.truth), minutes)


def with_fit(settings: Settings, output: str, **changes: object) -> Settings:
    """Return settings with another output folder below the run's own and other [fit] values."""
    fit = msgspec.structs.replace(settings.fit, **changes)
    return msgspec.structs.replace(settings, output=settings.output / output, fit=fit)


def machine() -> str:
    """Return what the trials ran on, in words: processor, cores, versions."""
    python = platform.python_version()
    return f"{processor()}, {os.cpu_count()} cores; Python {python}, torch {version_of('torch')}"
