"""A process that scores for one thread, and the next one when it is lost."""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Final
from weakref import finalize

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from streamtag.errors import RuntimeUnavailableError, StreamtagError
from streamtag.runtimes import Embedded
from streamtag.workers.messages import Open, Opened
from streamtag.workers.scoring_process import IDLE_SECONDS, ScoringProcess, WorkerLostError

__all__ = ["ScoringWorker", "WorkerRuntime", "end_workers", "open_in_workers"]

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 30.0
_WAIT_SECONDS: Final = 10.0
"""A process that was lost is there again by then, unless something is wrong."""
_LOOK_SECONDS: Final = 0.1
_SETTLED_SECONDS: Final = 60.0
"""A process that lived for so long is begun anew after the shortest pause."""

logger = logging.getLogger(__name__)


class ScoringWorker:
    """Scores in a process of its own; one that is lost is begun anew, with the same models.

    One thread scores with it and looks after it; any may open further models.

    Attributes:
        restarts: how often the process was begun anew.
        is_ready: whether there is a process that can score.
    """

    def __init__(self, number: int, idle_seconds: float = IDLE_SECONDS) -> None:
        """Start the process.

        Args:
            number: what it is called in the log.
            idle_seconds: as for `ScoringProcess`.

        Raises:
            OSError: none can be started, or no memory be shared with it.
        """
        self.restarts = 0
        self.is_ready = True
        self._number = number
        self._idle_seconds = idle_seconds
        self._orders: dict[int, Open] = {}  # of all models that are in use, by their numbers
        self._numbers = count()
        self._unused: deque[int] = deque()  # models that nobody uses any more, and that are yet to be let go of
        self._process: ScoringProcess | None = ScoringProcess(self._idle_seconds)
        self._began = time.monotonic()
        self._pause = _FIRST_PAUSE_SECONDS
        self._begin_at = 0.0
        self._left = 0  # models that the process has yet to open
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The process's number; None while there is none."""
        return None if self._process is None else self._process.pid

    def open(self, order: Open, like: Opened | None = None) -> "WorkerRuntime | None":
        """Open a model, beside those that are open; every further process opens it too.

        Once nobody uses what is returned, the model is let go of.

        Args:
            order: the model.
            like: what another worker said of it: while there is no process here, it is taken to be the same, and the
                next one opens it. Without this None is returned then.

        Raises:
            BundleError: there is no such bundle, it is damaged, or has no file for the runtime.
            RuntimeUnavailableError: the runtime is not there, or the process crashed.
        """
        with self._lock:
            order = replace(order, model=next(self._numbers))
            opened = self._open(order) if self._process is not None and self.is_ready else like
            if opened is None:
                return None
            self._orders[order.model] = order
            if not self.is_ready and self._process is not None:
                self._left += 1
                try:
                    self._process.open(order)
                except WorkerLostError as lost:
                    self._lose(str(lost))
        runtime = WorkerRuntime(self, order.model, opened)
        # Wherever the last reference to it goes, in the middle of whatever: the next look sees to it.
        finalize(runtime, self._unused.append, order.model).atexit = False
        return runtime

    def _open(self, order: Open) -> Opened:
        assert self._process is not None
        try:
            self._process.open(order)
            opened = self._process.opened()
        except WorkerLostError as lost:
            self._lose(str(lost))
            raise RuntimeUnavailableError(f"the process that runs the model crashed ({lost})") from lost
        assert opened is not None
        return opened

    def score(self, model: int, windows: Sequence[NDArray[np.float32]], *, embeds: bool) -> Embedded:
        """Score windows, as `ScoringProcess.score`.

        Raises:
            WorkerLostError: the process was lost, and what it was given with it; `look` begins another one.
            BundleError: the runtime cannot compute the model.
        """
        with self._lock:
            if self._process is None or not self.is_ready:
                raise WorkerLostError("there is none")
            try:
                return Embedded(*self._process.score(model, windows, embeds=embeds))
            except WorkerLostError as lost:
                self._lose(str(lost))
                raise

    def look(self, seconds: float) -> bool:
        """Look after the process: tell whether it can score. Where it cannot, wait so long for it, or begin another."""
        with self._lock:
            if self.is_ready:
                if self._process is not None and self._process.has_ended:
                    self._lose("it was ended")
                elif self._unused:
                    self._let_go()
                return self.is_ready
            try:
                self._begin_anew(seconds)
            except (StreamtagError, OSError) as error:
                self._lose(str(error))
            return self.is_ready

    def close(self) -> None:
        """End the process for good; for when nobody scores with it any more."""
        self.is_ready = False
        if self._process is not None:
            self._process.close()
            self._process = None

    def _let_go(self) -> None:
        """Let go of the models that nobody uses any more."""
        try:
            while self._unused:
                model = self._unused.popleft()
                del self._orders[model]
                if self._process is not None:
                    self._process.forget(model)
        except WorkerLostError as lost:
            self._lose(str(lost))

    def _begin_anew(self, seconds: float) -> None:
        if self._process is None:
            if (wait := self._begin_at - time.monotonic()) > 0:
                time.sleep(min(seconds, wait))
                return
            self._process = ScoringProcess(self._idle_seconds)
            self._began = time.monotonic()
            self._left = len(self._orders)
            for order in self._orders.values():
                self._process.open(order)
        while self._left:
            if self._process.opened(seconds) is None:
                return
            self._left -= 1
        self.restarts += 1
        self.is_ready = True
        logger.info("scoring process %d scores again", self._number)

    def _lose(self, reason: str) -> None:
        process, self._process = self._process, None
        self.is_ready = False
        if process is not None:
            process.close()
        if time.monotonic() - self._began > _SETTLED_SECONDS:
            self._pause = _FIRST_PAUSE_SECONDS
        logger.error("scoring process %d is lost (%s) and begun anew in %g s", self._number, reason, self._pause)
        self._begin_at = time.monotonic() + self._pause
        self._pause = min(_LONGEST_PAUSE_SECONDS, 2 * self._pause)


class WorkerRuntime:
    """A model that is open in a worker's process, as a runtime that takes windows as they lie.

    Attributes:
        name: the library that runs it.
        device: where it runs, such as "CPU".
        precision: the arithmetic, such as "int8".
        memory_bytes: of the machine's memory, what opening it took.
        opened: what the process said of it.
    """

    def __init__(self, worker: ScoringWorker, model: int, opened: Opened) -> None:
        """Remember which model of which worker it is."""
        self.opened = opened
        self.name, self.device, self.precision = opened.name, opened.device, opened.precision
        self.memory_bytes = opened.memory_bytes
        self._worker = worker
        self._model = model

    def run_list(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Score windows, float32 [samples] each; return float32 [n, labels] in [0, 1]."""
        return self._worker.score(self._model, windows, embeds=False).scores

    def embed_list(self, windows: Sequence[NDArray[np.float32]]) -> Embedded:
        """Return the scores and the embeddings of such windows, in one call."""
        return self._worker.score(self._model, windows, embeds=True)


def open_in_workers(
    workers: Sequence[ScoringWorker], order: Open, wait_seconds: float = _WAIT_SECONDS
) -> list[WorkerRuntime]:
    """Open a model in all workers at once; those that are begun anew open it as soon as they are there.

    Args:
        workers: all of them.
        order: the model.
        wait_seconds: how long to wait where all are lost.

    Raises:
        BundleError, RuntimeUnavailableError: as `ScoringWorker.open`, or none is there for too long.
    """
    until = time.monotonic() + wait_seconds
    while not any(worker.is_ready for worker in workers) and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
    with ThreadPoolExecutor(len(workers), "streamtag-open") as pool:
        found = list(pool.map(lambda worker: worker.open(order), workers))
    like = next((runtime.opened for runtime in found if runtime is not None), None)
    everywhere = [runtime or worker.open(order, like) for worker, runtime in zip(workers, found, strict=True)]
    runtimes = [runtime for runtime in everywhere if runtime is not None]
    if len(runtimes) < len(workers):
        raise RuntimeUnavailableError("all scoring processes are lost and not yet begun anew: try it again")
    return runtimes


def end_workers(workers: Sequence[ScoringWorker]) -> None:
    """End all processes."""
    for worker in workers:
        worker.close()
