"""Which of a bundle's files a CPU runs fastest, and in batches of how many: measured once on each machine."""

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from streamtag.audio import BANDS, FRAMES
from streamtag.bundle import Bundle
from streamtag.runtimes import Runtime
from streamtag.runtimes.measured import clock_of, machine_key, remembered

__all__ = ["BATCHES", "FULL", "MAX_LOSS_POINTS", "QUANTISED", "Fastest", "cheapest_batch", "fastest"]

FULL: Final = "model.onnx"
QUANTISED: Final = "model.int8.onnx"
MAX_LOSS_POINTS: Final = 0.5
"""How many points of mAP the quantised file may cost and still be preferred."""
BATCHES: Final = (8, 16, 32, 64)
"""What is tried, smallest first."""

_ROUNDS: Final = 15
_BATCH_SECONDS: Final = 0.1
"""Batches are tried for about so long, in two rounds at least."""
_AS_GOOD: Final = 1.04
"""A smaller batch that costs so much more a patch is taken: it asks for less memory, and others wait less for it."""

logger = logging.getLogger(__name__)


class Fastest(NamedTuple):
    """How a CPU runs a bundle fastest.

    Attributes:
        file: the file to run.
        batch: how many patches to give it at once.
    """

    file: str
    batch: int


def fastest(bundle: Bundle, threads: int, load: Callable[[Bundle, str, int], Runtime]) -> Fastest:
    """Return how to run a bundle: the int8 file where it is faster here and costs at most 0.5 points of mAP.

    Args:
        bundle: the model.
        threads: how many one call may use.
        load: opens one of its files, with so many threads.

    Raises:
        BundleError: it has no such file, or `load` cannot open it.
    """
    files = _files(bundle)
    checksums = [str(bundle.files.get(file, {}).get("sha256"))[:16] for file in files]
    library = load.__module__.rpartition(".")[2]

    def is_one(kept: Any) -> bool:
        return isinstance(kept, list) and len(kept) == 2 and kept[0] in files and kept[1] in BATCHES

    def measure() -> list[Any]:
        opened = {file: load(bundle, file, threads) for file in files}
        file = _faster(opened, threads) if len(files) > 1 else files[0]
        batch = cheapest_batch(opened[file], threads)
        logger.info("measured here: %s is the fastest, %d patches at once", file, batch)
        return [file, batch]

    return Fastest(*remembered(" ".join([library, *checksums, machine_key(threads)]), is_one, measure))


def cheapest_batch(model: Runtime, threads: int) -> int:
    """Return the smallest batch of which a patch costs about as little as of any."""
    clock, patches = clock_of(threads), _patches(BATCHES[-1])
    least: dict[int, float] = {}
    spent = 0.0
    for number in range(_ROUNDS):
        for size in list(least) or BATCHES:
            begin = clock()
            model.run(patches[:size])
            seconds = clock() - begin
            spent += seconds
            least[size] = min(least.get(size, math.inf), seconds / size)
            if number == 0 and len(least) > 1 and spent > _BATCH_SECONDS:
                break  # a patch takes so long that larger batches save too little to be measured
        if number > 0 and spent > _BATCH_SECONDS:
            break
    enough = _AS_GOOD * min(least.values())
    return next(size for size, seconds in least.items() if seconds <= enough)


def _files(bundle: Bundle) -> list[str]:
    """Return the files that may be run, of which one is to be chosen."""
    loss = bundle.manifest.get("parity", {}).get("int8_map_points_lost")
    if QUANTISED not in bundle.files or loss is None or loss > MAX_LOSS_POINTS:
        return [FULL]
    return [FULL, QUANTISED] if FULL in bundle.files else [QUANTISED]


def _faster(models: Mapping[str, Runtime], threads: int) -> str:
    patches, clock = _patches(BATCHES[0]), clock_of(threads)
    seconds: dict[str, list[float]] = {file: [] for file in models}
    for _ in range(_ROUNDS):  # in turn, so that a noisy neighbour slows both
        for file, model in models.items():
            begin = clock()
            model.run(patches)
            seconds[file].append(clock() - begin)
    return min(seconds, key=lambda file: float(np.median(seconds[file])))


def _patches(count: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).standard_normal((count, FRAMES, BANDS)).astype(np.float32)
