"""What two cores of this machine carry more than one of work that shares nothing: no program's factor can be higher.

Cores share caches and memory, their clock may sink where more of them work, and two virtual ones may be one real one.
"""

import multiprocessing
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.scoring import Variant
from streamtag.audio import SAMPLE_RATE, Block, Patcher
from streamtag.benchmark.load_generator import bursts
from streamtag.benchmark.machine import held_to
from streamtag.bundle import Bundle
from streamtag.errors import StreamtagError
from streamtag.program import safe_path
from streamtag.runtimes.scorer import Scorer

__all__ = ["SeparateWork", "measure_separate_work"]

_MATRIX = 64
_PRODUCTS = 100
_PATCHES = 64
_START_SECONDS = 60.0
_SPARE_SECONDS = 10.0

Repeat = Callable[[], int]
"""Does some work and returns how much it was."""


@dataclass(frozen=True, slots=True)
class SeparateWork:
    """How much was done in a second by a process on one core, and by one on each of two together."""

    products: tuple[float, float]
    """Of small matrices in the nearest caches: arithmetic alone."""
    patches: tuple[float, float]
    """From samples in memory through front end and network."""


def measure_separate_work(variant: Variant, seconds: float) -> SeparateWork:
    """Do both kinds of work on the first core and on the first two, for `seconds` each.

    Raises:
        StreamtagError: a process ended, such as for want of the bundle or the runtime.
    """
    cores = sorted(os.sched_getaffinity(0))

    def both(prepare: Callable[..., Repeat], *arguments: Any) -> tuple[float, float]:
        one, two = (_together(cores[:count], seconds, prepare, arguments) for count in (1, 2))
        return one, two

    return SeparateWork(both(_prepare_products), both(_prepare_patches, variant))


def _together(cores: list[int], seconds: float, prepare: Callable[..., Repeat], arguments: tuple[Any, ...]) -> float:
    """Return how much processes, one on each of these cores, do in a second together."""
    spawn = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        pipes = []
        for core in cores:
            here, there = spawn.Pipe()
            process = spawn.Process(target=_work, args=(there, seconds, prepare, arguments), daemon=True)
            with held_to({core}), safe_path():
                process.start()
            stack.callback(process.join)
            stack.callback(process.terminate)
            there.close()
            pipes.append(here)
        for pipe in pipes:
            _receive(pipe, _START_SECONDS)
        begin = time.monotonic() + 0.1
        for pipe in pipes:
            pipe.send(begin)
        return sum(_receive(pipe, seconds + _SPARE_SECONDS) for pipe in pipes)


def _receive(pipe: "Connection[Any, Any]", seconds: float) -> float:
    try:
        if pipe.poll(seconds):
            return float(pipe.recv())
    except EOFError:
        pass
    raise StreamtagError("a process that measures ended, or does not answer")


def _work(
    parent: "Connection[Any, Any]", seconds: float, prepare: Callable[..., Repeat], arguments: tuple[Any, ...]
) -> None:
    repeat = prepare(*arguments)
    repeat()
    parent.send(0.0)
    begin = parent.recv()
    time.sleep(max(0.0, begin - time.monotonic()))
    done = 0
    while (now := time.monotonic()) < begin + seconds:
        done += repeat()
    parent.send(done / (now - begin))


def _prepare_products() -> Repeat:
    first, second = np.random.default_rng(0).standard_normal((2, _MATRIX, _MATRIX)).astype(np.float32)
    product = np.empty_like(first)

    def repeat() -> int:
        for _ in range(_PRODUCTS):
            np.matmul(first, second, out=product)
        return _PRODUCTS

    return repeat


def _prepare_patches(variant: Variant) -> Repeat:
    bundle = Bundle.open(variant.bundle)
    scorer = Scorer(variant.open(_PATCHES), _PATCHES, bundle.geometry, bundle.log_offset)
    seconds = (_PATCHES + 1) * bundle.geometry.seconds
    patches = Patcher(bundle.geometry).feed(Block(bursts(seconds), 0, SAMPLE_RATE, 0.0))
    windows = [patch.window for patch in patches[:_PATCHES]]

    def repeat() -> int:
        scorer.run(windows)
        return len(windows)

    return repeat
