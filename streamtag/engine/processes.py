"""Which processes score for a service, as its settings and the machine have it."""

import logging
import os

from streamtag.errors import RuntimeUnavailableError
from streamtag.runtime_kinds import RUNTIMES, is_installed, meant_by
from streamtag.settings import Config
from streamtag.workers import ScoringWorker, end_workers

__all__ = ["begin_workers"]

logger = logging.getLogger(__name__)


def begin_workers(config: Config) -> list[ScoringWorker]:
    """Start the processes that are to score; none where that is done within the service.

    The thread that calls must live as long as they are to.
    """
    count = _wanted(config)
    workers: list[ScoringWorker] = []
    if count == 1:
        return workers
    try:
        for number in range(1, count + 1):
            workers.append(ScoringWorker(number))
    except OSError as error:
        end_workers(workers)
        logger.warning("no processes can be started to score in (%s): it is done within the service", error.strerror)
        return []
    return workers


def _wanted(config: Config) -> int:
    """Return how many processes are to score; 1: the service's own."""
    if not all(_is_on_cpu(runtime) for runtime in _runtimes(config)):
        return 1
    if config.service.processes != "auto":
        return config.service.processes
    cores = len(os.sched_getaffinity(0))
    # Where nobody can push further ones, more processes than streams would have nothing to do.
    return cores if config.service.input is not None else max(1, min(cores, len(config.streams)))


def _runtimes(config: Config) -> list[str]:
    return [config.model.runtime, *(model.runtime for model in config.models.values())]


def _is_on_cpu(runtime: str) -> bool:
    """Tell whether a runtime computes here, on cores; GPUs and servers are fed best by one process."""
    others = [name for name in meant_by(runtime) if name in RUNTIMES and RUNTIMES[name].device != "CPU"]
    if runtime in RUNTIMES:
        return not others
    return not any(map(is_installed, others)) or not _has_gpu()


def _has_gpu() -> bool:
    try:
        from streamtag.runtimes.cuda import find_gpu

        find_gpu()
    except (ImportError, RuntimeUnavailableError):
        return False
    return True
