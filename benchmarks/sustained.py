"""How many live streams a core carries: found by trying, then shown for a minute."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from streamtag.benchmark.live_streams import LiveStreams, measure_live
from streamtag.benchmark.machine import first_cores
from streamtag.settings import Config

__all__ = ["Sustained", "measure_sustained"]

_TRIAL_SECONDS = 8.0
_TRIALS = 7
_CLOSE_ENOUGH = 1.06
_STEP = 1.5
_PROOFS = 4
_STEP_BACK = 0.94


@dataclass(frozen=True, slots=True)
class Sustained:
    """The most live streams that so many cores carried, with every run that was tried."""

    cores: int
    streams: int | None
    """How many were carried for the whole time with no drop and a p99 under 100 ms; None where none was."""
    trials: list[LiveStreams]
    proofs: list[LiveStreams]
    """Runs of the whole length: the last one is the proof, where there is one."""


def measure_sustained(
    config: Config, cores: int, seconds: float, guess: int, progress: Callable[[int], None]
) -> Sustained:
    """Search in trials of 8 s, then hold the largest number that passed for `seconds`, or a few percent fewer.

    The service is held to `cores`; what pushes and listens has the others, and where there are none, shares them.

    Args:
        config: whose model and scores are used.
        cores: how many.
        seconds: of the proof.
        guess: where the search begins.
        progress: is told of each number before it is tried.

    Raises:
        StreamtagError: the service does not start, or ends.
    """
    held, others = first_cores(cores)
    trials: list[LiveStreams] = []
    carried, too_many, streams = 0, 0, max(1, guess)
    while len(trials) < _TRIALS and not 0 < too_many <= max(carried + 1, _CLOSE_ENOUGH * carried):
        progress(streams)
        trials.append(measure_live(config, streams, _TRIAL_SECONDS, cores=held, other_cores=others))
        if trials[-1].in_real_time:
            carried = streams
        else:
            too_many = streams
        streams = _between(carried, too_many)
    proofs: list[LiveStreams] = []
    while carried and len(proofs) < _PROOFS and not (proofs and proofs[-1].in_real_time):
        progress(carried)
        proofs.append(measure_live(config, carried, seconds, cores=held, other_cores=others))
        carried = int(_STEP_BACK * carried)
    proven = proofs[-1].streams if proofs and proofs[-1].in_real_time else None
    return Sustained(cores, proven, trials, proofs)


def _between(carried: int, too_many: int) -> int:
    """Return what to try next between what was carried and what was not; 0 means that none was found yet."""
    if not too_many:
        return max(carried + 1, round(_STEP * carried))
    if not carried:
        return max(1, int(too_many / _STEP))
    return round(math.sqrt(carried * too_many))
