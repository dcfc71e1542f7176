"""Fill a cache with made windows, in several processes, shard by shard."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from streamtag.audio.frontend import log_mel_windows
from train.data.bank import Bank
from train.data.cache import Cache, Rows
from train.data.render import RenderSettings, render
from train.workers import end_with_parent


@dataclass(frozen=True, slots=True)
class _Task:
    bank: Bank
    settings: RenderSettings
    cache: Cache
    teacher: Path | None


_task: _Task | None = None
"""What the worker processes work at: inherited by fork, so that no recording is copied."""


def shard_sizes(windows: int, shard: int) -> list[int]:
    """Return the sizes of the shards that `windows` windows make, `shard` of them in each but the last."""
    whole, rest = divmod(windows, shard)
    return [shard] * whole + ([rest] if rest else [])


def fill(
    cache: Cache,
    bank: Bank,
    settings: RenderSettings,
    teacher: Path | None,
    processes: int,
    shard: int,
    progress: Callable[[int, int], None],
) -> None:
    """Render the shards that the cache lacks; `progress` gets the windows done and the windows wanted.

    A shard depends on the seed and its number alone, never on the processes. A cache of some shards alone gets as many
    of those as the windows fill.
    """
    global _task
    sizes = dict(zip(cache.shards or count(), shard_sizes(settings.windows, shard), strict=False))
    missing = sorted(set(sizes) - set(cache.numbers()))
    done = sum(sizes.values()) - sum(sizes[number] for number in missing)
    progress(done, sum(sizes.values()))
    if not missing:
        return
    _task = _Task(bank, settings, cache, teacher)
    try:
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(processes, mp_context=fork, initializer=end_with_parent) as pool:
            for future in as_completed([pool.submit(_shard, number, sizes[number]) for number in missing]):
                done += future.result()
                progress(done, sum(sizes.values()))
    finally:
        _task = None


def _shard(number: int, size: int) -> int:
    task = _task
    assert task is not None, "workers inherit the task"
    rng = np.random.default_rng([task.settings.seed, number])
    windows = [render(task.bank, task.settings, rng) for _ in range(size)]
    samples = np.stack([window.samples for window in windows])
    embedding = np.empty((size, 0), np.float16)
    if task.teacher:
        from train.yamnet import YamNet  # an interpreter cannot cross a fork: each worker opens its own

        embedding = YamNet(task.teacher).run(samples)[0].astype(np.float16)
    task.cache.write(
        number,
        Rows(
            log_mel_windows(samples).astype(np.float16),
            np.stack([window.positive for window in windows]),
            np.stack([window.unsure for window in windows]),
            embedding,
        ),
    )
    return size
