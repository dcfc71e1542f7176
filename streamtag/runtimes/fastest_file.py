"""Which of a bundle's files a CPU runs fastest: measured once on each machine and kept in the user's cache."""

import fcntl
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np

from streamtag.audio import BANDS, FRAMES
from streamtag.bundle import Bundle
from streamtag.folders import cache_folder
from streamtag.machine import processor
from streamtag.runtimes import Runtime

__all__ = ["faster_file"]

FULL = "model.onnx"
QUANTISED = "model.int8.onnx"
MAX_LOSS_POINTS = 0.5
"""How many points of mAP the quantised file may cost and still be preferred."""

_BATCH = 8
_ROUNDS = 15

logger = logging.getLogger(__name__)


def faster_file(bundle: Bundle, threads: int, load: Callable[[Bundle, str, int], Runtime]) -> str:
    """Return the name of the file to run: the int8 one where it is faster here and costs at most 0.5 points of mAP."""
    loss = bundle.manifest.get("parity", {}).get("int8_map_points_lost")
    if QUANTISED not in bundle.files or loss is None or loss > MAX_LOSS_POINTS:
        return FULL
    if FULL not in bundle.files:
        return QUANTISED
    store = cache_folder() / "fastest.json"
    library = load.__module__.rpartition(".")[2]
    key = " ".join([library, bundle.files[QUANTISED]["sha256"][:16], processor(), f"threads={threads}"])
    known = _read(store)
    if known.get(key) in (FULL, QUANTISED):
        return known[key]
    with _alone(store):
        known = _read(store)  # another process may have measured meanwhile
        if known.get(key) not in (FULL, QUANTISED):
            known[key] = _measure(load(bundle, FULL, threads), load(bundle, QUANTISED, threads))
            _write(store, known)
    return known[key]


def _measure(full: Runtime, quantised: Runtime) -> str:
    patches = np.random.default_rng(0).standard_normal((_BATCH, FRAMES, BANDS)).astype(np.float32)
    seconds: dict[str, list[float]] = {FULL: [], QUANTISED: []}
    for _ in range(_ROUNDS):  # in turn, so that a noisy neighbour slows both
        for file, model in ((FULL, full), (QUANTISED, quantised)):
            begin = time.perf_counter()
            model.run(patches)
            seconds[file].append(time.perf_counter() - begin)
    fastest = min(seconds, key=lambda file: float(np.median(seconds[file])))
    logger.info("measured here: %s is the fastest", fastest)
    return fastest


@contextmanager
def _alone(store: Path) -> Iterator[None]:
    """Keep other processes waiting: those that tag side by side begin together, and must come to one result."""
    with ExitStack() as stack:
        with suppress(OSError):  # without a cache each measures for itself
            store.parent.mkdir(parents=True, exist_ok=True)
            folder = os.open(store.parent, os.O_RDONLY)
            stack.callback(os.close, folder)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield


def _read(store: Path) -> dict[str, str]:
    try:
        known = json.loads(store.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(store: Path, known: dict[str, str]) -> None:
    # A cache that cannot be written costs a measurement at the next start, nothing else.
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        draft = store.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(known, indent=1))
        draft.replace(store)
    except OSError as error:
        logger.info("%s cannot be written: %s", store, error)
