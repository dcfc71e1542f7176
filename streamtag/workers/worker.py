"""A process that scores windows for a service, which `scoring_process.py` starts, and which a model may bring down.

    python -P -m streamtag.workers.worker LINK MEMORY

It opens the models that it is told of over the socket `LINK`, and then scores what lies in the file `MEMORY`, which has
no name, until nobody tells it to any more.
"""

import ctypes
import gc
import mmap
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

import numpy as np

from streamtag.bundle import Bundle
from streamtag.errors import BundleError, RuntimeUnavailableError
from streamtag.machine import resident_bytes
from streamtag.process import Link, LinkError, link_from_arguments
from streamtag.runtimes import open_runtime
from streamtag.runtimes.scorer import Scorer
from streamtag.workers.messages import Done, Forget, Map, Open, Opened, Order, Refused, Score

__all__ = ["main"]

_SET_PARENT_DEATH_SIGNAL: Final = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
_MORE_EXPENDABLE: Final = 200
"""What is added to the score by which the system chooses whom to kill where memory is short, of 1000."""


class _Model:
    """An open model, with what it needs of the memory."""

    def __init__(self, wanted: Open) -> None:
        before = resident_bytes()
        bundle = Bundle.open(wanted.bundle)
        runtime = open_runtime(bundle, wanted.runtime, max_batch=wanted.max_batch)
        self.samples = wanted.samples
        self.scorer = Scorer(runtime, wanted.max_batch, bundle.geometry, bundle.log_offset)
        first = self.scorer.embed([np.zeros(self.samples, np.float32)])  # the first call takes longest
        self.labels, self.embedding = first.scores.shape[1], first.embeddings.shape[1]
        memory = max(0, resident_bytes() - before)
        self.opened = Opened(runtime.name, runtime.device, runtime.precision, self.labels, self.embedding, memory)


class _Scoring:
    """Does as it is ordered, one order after the other."""

    def __init__(self, link: Link, memory: int) -> None:
        self._link = link
        self._memory = memory
        self._models: dict[int, _Model] = {}  # by their numbers
        self._windows = self._results = np.empty(0, np.float32)

    def open(self, order: Open) -> None:
        self._models[order.model] = model = _Model(order)
        self._link.send(model.opened)

    def forget(self, order: Forget) -> None:
        del self._models[order.model]
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # or what it took would stay with this process for the next one

    def map(self, order: Map) -> None:
        shared = np.frombuffer(mmap.mmap(self._memory, order.size), np.float32)
        self._windows, self._results = np.split(shared, [order.output // shared.itemsize])

    def score(self, order: Score) -> None:
        model, count = self._models[order.model], order.count
        windows = list(self._windows[: count * model.samples].reshape(count, model.samples))
        scores = self._results[: count * model.labels].reshape(count, -1)
        if order.embeds:
            scores[:], embeddings = model.scorer.embed(windows)
            self._results[scores.size : scores.size + embeddings.size] = embeddings.ravel()
        else:
            scores[:] = model.scorer.run(windows)
        self._link.send(Done(order.number))


def _serve(link: Link) -> NoReturn:
    scoring = _Scoring(link, int(sys.argv[2]))
    while True:
        order, _ = link.receive()
        try:
            if isinstance(order, Score):
                scoring.score(order)
            elif isinstance(order, Map):
                scoring.map(order)
            elif isinstance(order, Forget):
                scoring.forget(order)
            else:
                scoring.open(order)
        except (BundleError, RuntimeUnavailableError) as error:
            kind = type(error).__name__
            link.send(Refused(kind, str(error)))  # type: ignore[arg-type]


def _end_with_service() -> None:
    """End as soon as whoever started this process does, even where it is stopped or in the middle of a batch."""
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def _be_expendable() -> None:
    """Let the system end this process rather than the service where memory is short: it is begun anew."""
    score = Path("/proc/self/oom_score_adj")
    with suppress(OSError, ValueError):
        score.write_text(str(min(1000, int(score.read_text()) + _MORE_EXPENDABLE)))


def main() -> NoReturn:
    """Score as ordered until nobody orders any more."""
    _end_with_service()
    _be_expendable()
    with suppress(EOFError, LinkError, ConnectionError):
        _serve(link_from_arguments(Order))
    os._exit(0)


if __name__ == "__main__":
    main()
