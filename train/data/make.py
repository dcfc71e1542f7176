"""Fill a cache with windows, shard by shard: made ones, and recordings as they are; here or in several processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from streamtag.audio.frontend import PATCH_HOP, PATCH_SAMPLES, log_mel_windows
from train.data.bank import Bank
from train.data.cache import Cache, Rows
from train.data.render import RenderSettings, Window, plain, render
from train.labels.table import SILENCE
from train.shared import Shared
from train.workers import end_with_parent

PLAIN = 50_000
"""The number of the first shard of plain windows."""
_PLAIN_A_CLIP = 3
_AHEAD = 2
"""Shards for each process of a pool that are under way or wait for the listener; each lies on disk as sound until
then, 0.4 GB of it."""


class Listener(Protocol):
    """Who says what is heard in windows (`train.ears`)."""

    def features(
        self, samples: NDArray[np.int16], at: NDArray[np.int64], patches: NDArray[np.float16]
    ) -> NDArray[np.float16]:
        """Return float16 [n, d] of samples [n, 48000], where their patches begin, and the patches [n, 96, 64]."""


@dataclass(frozen=True, slots=True)
class _Task:
    bank: Bank
    settings: RenderSettings
    cache: Cache
    plain: Sequence[tuple[int, int]]
    first_plain: int
    shard: int
    keep_sound: bool


_task: _Task | None = None
"""What this process works at, where it is one of a pool's."""


def shard_sizes(windows: int, shard: int) -> list[int]:
    """Return the sizes of the shards that `windows` windows make, `shard` of them in each but the last."""
    whole, rest = divmod(windows, shard)
    return [shard] * whole + ([rest] if rest else [])


def plain_windows(bank: Bank) -> list[tuple[int, int]]:
    """Return the plain windows of a bank's labelled recordings: entry, and the sample at which the patch begins.

    At most three a recording, spread over it.
    """
    windows = []
    for entry, recording in enumerate(bank.entries):
        patches = max(1, (len(recording.sound) - PATCH_SAMPLES) // PATCH_HOP + 1)
        chosen = np.unique(np.linspace(0, patches - 1, min(patches, _PLAIN_A_CLIP)).round().astype(int))
        windows += [(entry, int(patch) * PATCH_HOP) for patch in chosen]
    return windows


def fill(
    cache: Cache,
    bank: Bank,
    settings: RenderSettings,
    listener: Listener | None,
    processes: int,
    shard: int,
    progress: Callable[[int, int], None],
    first_plain: int = PLAIN,
) -> None:
    """Make the shards that the cache lacks; `progress` gets the windows done and the windows wanted.

    One process is this one. A shard depends on the seed and its number alone, never on the processes. A cache of some
    shards alone gets as many made ones of those as the windows fill. Plain windows come from shard `first_plain` on.
    """
    made = [number for number in cache.shards if number < PLAIN] if cache.shards else count()
    sizes = dict(zip(made, shard_sizes(settings.windows, shard), strict=False))
    windows = plain_windows(bank) if settings.plain else []
    order = np.random.default_rng([settings.seed, first_plain]).permutation(len(windows))
    sizes |= dict(zip(count(first_plain), shard_sizes(len(windows), shard), strict=False))
    missing = sorted(set(sizes) - set(cache.numbers()))
    done = sum(sizes.values()) - sum(sizes[number] for number in missing)
    progress(done, sum(sizes.values()))
    if not missing:
        return
    shuffled = [windows[index] for index in order]
    task = _Task(bank, settings, cache, shuffled, first_plain, shard, listener is not None)
    del bank  # in processes the recordings are in memory once, where nobody else has them: as what they all map
    wanted = {number: sizes[number] for number in missing}
    if processes == 1:  # which would take a second to begin, and hold the recordings once more
        shards = _made_here(task, wanted)
    else:
        shards = _made_in_processes(Shared(task, cache.folder), wanted, processes)
    del task
    with closing(shards):
        for rows, sound in shards:
            if listener and sound:
                rows = _listened(rows, sound, listener)
            cache.write(rows[0], rows[1])
            done += len(rows[1])
            progress(done, sum(sizes.values()))


_Made = tuple[tuple[int, Rows], Path | None]
"""A shard's number and rows, and where what a listener is to hear lies."""


def _made_here(task: _Task, sizes: Mapping[int, int]) -> Generator[_Made, None, None]:
    for number, size in sizes.items():
        with threadpool_limits(1):
            made = _shard(task, number, size)
        yield made


def _made_in_processes(task: Shared[_Task], sizes: Mapping[int, int], processes: int) -> Generator[_Made, None, None]:
    # Not forked: this process may have threads, and what a library's own held while it was forked never comes free.
    spawn = multiprocessing.get_context("spawn")
    wanted = iter(sizes.items())
    with task, ProcessPoolExecutor(processes, mp_context=spawn, initializer=_begin, initargs=(task,)) as pool:
        made: set[Future[_Made]] = set()
        while True:
            next_ones = islice(wanted, _AHEAD * processes - len(made))
            made |= {pool.submit(_shard_of_pool, number, size) for number, size in next_ones}
            if not made:
                return
            done = next(iter(wait(made, return_when=FIRST_COMPLETED).done))
            made.remove(done)
            yield done.result()


def _begin(task: Shared[_Task]) -> None:
    """Make a process of a pool that has one for each core ready, without torch, which takes seconds to load."""
    global _task
    threadpool_limits(1)
    end_with_parent()
    _task = task.read()


def _listened(numbered: tuple[int, Rows], sound: Path, listener: Listener) -> tuple[int, Rows]:
    number, rows = numbered
    with np.load(sound) as held:
        features = listener.features(held["samples"], held["at"], rows.patches)
    sound.unlink()
    return number, Rows(rows.patches, rows.positive, rows.unsure, features)


def _shard_of_pool(number: int, size: int) -> _Made:
    assert _task is not None, "a pool's processes begin with their task"
    return _shard(_task, number, size)


def _shard(task: _Task, number: int, size: int) -> _Made:
    windows = _plain_windows(task, number, size) if number >= PLAIN else _made_windows(task, number, size)
    at = np.array([window.at for window in windows])
    heard = np.stack([window.samples[window.at :][:PATCH_SAMPLES] for window in windows])
    rows = Rows(
        log_mel_windows(heard).astype(np.float16),
        np.stack([window.positive for window in windows]),
        np.stack([window.unsure for window in windows]),
        np.empty((size, 0), np.float16),
    )
    if not task.keep_sound:
        return (number, rows), None
    samples = np.stack([as_int16(window.samples) for window in windows])
    path = task.cache.folder / f"sound-{number:05d}.npz"
    np.savez(path, samples=samples, at=at)
    return (number, rows), path


def as_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return samples in [-1, 1] as 16-bit ones."""
    return (samples * np.float32(32767)).clip(-32768, 32767).astype(np.int16)


def _made_windows(task: _Task, number: int, size: int) -> list[Window]:
    rng = np.random.default_rng([task.settings.seed, number])
    return [render(task.bank, task.settings, rng) for _ in range(size)]


def _plain_windows(task: _Task, number: int, size: int) -> list[Window]:
    first = (number - task.first_plain) * task.shard
    names = task.bank.labels.names
    silence = names.index(SILENCE) if SILENCE in names else None
    return [plain(task.bank.entries[entry], len(names), at, silence) for entry, at in task.plain[first : first + size]]
