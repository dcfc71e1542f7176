"""What was measured on a machine, once, and is kept in the user's cache: a start is to cost no measurement."""

import fcntl
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from streamtag.atomic_file import write_whole
from streamtag.folders import cache_folder
from streamtag.machine import features, processor

__all__ = ["clock_of", "known", "machine_key", "remembered"]

logger = logging.getLogger(__name__)


def machine_key(threads: int) -> str:
    """Return what a measurement with so many threads depends on here, beside what was measured."""
    return " ".join([processor(), *features(), f"threads={threads}"])


def clock_of(threads: int) -> Callable[[], float]:
    """Return the clock, in seconds, that tells what a call costs that may use so many threads.

    One thread's call costs the processor time that it takes, whatever else the machine does meanwhile; of several
    threads it counts how long they take together.
    """
    return time.process_time if threads == 1 else time.perf_counter


def known(key: str, is_one: Callable[[Any], bool]) -> Any:
    """Return what is kept under a key, None where nothing is that `is_one` takes for a result."""
    found = _read(_store()).get(key)
    return found if found is not None and is_one(found) else None


def remembered(key: str, is_one: Callable[[Any], bool], measure: Callable[[], Any]) -> Any:
    """Return what is kept under a key; where that is nothing, measure it while other processes wait for the result.

    Args:
        key: what was measured, and where.
        is_one: whether what is kept is a result: anybody may have written there.
        measure: returns a result, of what JSON knows; nothing else may be remembered within it.
    """
    if (found := known(key, is_one)) is not None:
        return found
    store = _store()
    with _alone(store):
        if (found := known(key, is_one)) is None:  # another process may have measured meanwhile
            found = measure()
            _write(store, {**_read(store), key: found})
    return found


def _store() -> Path:
    return cache_folder() / "fastest.json"


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


def _read(store: Path) -> dict[str, Any]:
    try:
        found = json.loads(store.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(store: Path, found: dict[str, Any]) -> None:
    # A cache that cannot be written costs a measurement at the next start, nothing else.
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        write_whole(store, json.dumps(found, indent=1).encode(), lasting=False)
    except OSError as error:
        logger.info("%s cannot be written: %s", store, error)
