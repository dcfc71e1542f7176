"""Which of the libraries that are installed runs a bundle fastest on this CPU: measured once on each machine."""

import logging
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import PATCH_SAMPLES, log_mel_windows
from streamtag.bundle import Bundle
from streamtag.errors import BundleError, RuntimeUnavailableError
from streamtag.machine import version_of
from streamtag.runtimes import BatchingRuntime, Runtime
from streamtag.runtimes.fastest import BATCHES, FULL, QUANTISED
from streamtag.runtimes.measured import clock_of, known, machine_key, remembered

__all__ = ["MOST_DIFFERENCE", "fastest_library"]

MOST_DIFFERENCE: Final = 0.02
"""How far any score may be from the first library's."""
_WORTH: Final = 0.95
"""Another library than the first is taken where it needs less than this share of its time: it takes more memory."""
_PAUSE_SECONDS: Final = 0.002
"""Before a patch by itself, as live ones come: a library whose own threads must wake first costs twice as much then."""
_ROUNDS: Final = 9
_WINDOWS: Final = 64

logger = logging.getLogger(__name__)


def fastest_library(bundle: Bundle, names: Sequence[str], threads: int, load: Callable[[str], Runtime]) -> str:
    """Return the library that is to run a bundle: the first, unless another one scores the same in clearly less time.

    Args:
        bundle: the model.
        names: the libraries; all of them run on the CPU and are installed.
        threads: how many one call may use.
        load: opens the bundle with one of them.

    Raises:
        BundleError, RuntimeUnavailableError: the first cannot open it.
    """
    checksums = [str(bundle.files[file].get("sha256"))[:16] for file in (FULL, QUANTISED) if file in bundle.files]
    key = " ".join([*(f"{name}={version_of(name)}" for name in names), *checksums, machine_key(threads)])
    if (found := known(key, names.__contains__)) is None:
        models = _opened(names, load)  # before others are kept waiting: to open them may need a measurement too
        found = remembered(key, names.__contains__, lambda: _measure(models, bundle, threads))
    return str(found)


def _opened(names: Sequence[str], load: Callable[[str], Runtime]) -> dict[str, Runtime]:
    models = {names[0]: load(names[0])}
    for name in names[1:]:
        try:
            models[name] = load(name)
        except (BundleError, RuntimeUnavailableError) as error:
            logger.info("runtime %s is left out: %s", name, error)
    return models


def _measure(models: dict[str, Runtime], bundle: Bundle, threads: int) -> str:
    first, *others = models
    patches = _patches(bundle)
    expected = models[first].run(patches)
    for name in others:
        difference = float(np.abs(models[name].run(patches) - expected).max())
        if not difference <= MOST_DIFFERENCE:
            logger.info("runtime %s is left out: its scores are up to %.3f off", name, difference)
            del models[name]
    in_batches: dict[str, list[float]] = {name: [] for name in models}
    alone: dict[str, list[float]] = {name: [] for name in models}
    clock = clock_of(threads)
    for _ in range(_ROUNDS if len(models) > 1 else 0):  # in turn, so that a noisy neighbour slows both
        for name, model in models.items():
            batch = model.batch if isinstance(model, BatchingRuntime) and model.batch else BATCHES[0]
            in_batches[name].append(_seconds(clock, model, patches[:batch]) / batch)
            time.sleep(_PAUSE_SECONDS)
            alone[name].append(_seconds(clock, model, patches[:1]))

    def gains(name: str) -> bool:
        is_faster = min(in_batches[name]) < _WORTH * min(in_batches[first])
        return is_faster and statistics.median(alone[name]) <= statistics.median(alone[first])

    best = min(filter(gains, list(models)[1:]), key=lambda name: min(in_batches[name]), default=first)
    logger.info("measured here: runtime %s is the fastest", best)
    return best


def _seconds(clock: Callable[[], float], model: Runtime, patches: NDArray[np.float32]) -> float:
    begin = clock()
    model.run(patches)
    return clock() - begin


def _patches(bundle: Bundle) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return log-mel patches of noise and tones at many levels, float32 [64, 96, 64]."""
    chance = np.random.default_rng(0)
    level = 10.0 ** chance.uniform(-4, -0.3, (_WINDOWS, 1))
    tone = np.sin(chance.uniform(0.05, 3.0, (_WINDOWS, 1)) * np.arange(PATCH_SAMPLES))
    noise = chance.standard_normal((_WINDOWS, PATCH_SAMPLES))
    windows = np.clip(level * (tone + noise) / 4, -1.0, 1.0).astype(np.float32)
    return log_mel_windows(windows, log_offset=bundle.log_offset)
