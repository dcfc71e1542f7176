"""One process that scores, as the service sees it."""

import mmap
import os
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamtag import errors
from streamtag.errors import StreamtagError
from streamtag.machine import processor_seconds
from streamtag.process import LinkError, Process, SilentError
from streamtag.program import Program, python
from streamtag.workers.messages import Done, Forget, Map, Open, Opened, Order, Refused, Score, Word

__all__ = ["IDLE_SECONDS", "ScoringProcess", "WorkerLostError"]

_LOOK_SECONDS: Final = 0.5
IDLE_SECONDS: Final = 3.0
"""A process that owes scores and used no processor time for so long is stopped, or waits for what never comes."""
_SILENT_SECONDS: Final = 60.0
"""One that computes for longer than this computes for ever."""
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""A process is for one core: pools of threads would wait for the other processes' cores."""
_FLOAT: Final = 4


class WorkerLostError(StreamtagError):
    """A process that scores ended, or must be taken for ended."""


class ScoringProcess:
    """One process, from its start to its end; one thread at a time uses it.

    The thread that starts it must live for as long as the process is to: the system ends both together.
    """

    def __init__(self, idle_seconds: float = IDLE_SECONDS) -> None:
        """Start the process.

        Args:
            idle_seconds: after how long without work one that owes scores is taken for lost.

        Raises:
            OSError: no process can be started, or no memory be shared.
        """
        self._memory = os.memfd_create("streamtag-scores")  # which no folder's size limits, and no name keeps
        try:
            self._process = Process("streamtag.workers.worker", Word, self._start)
        except OSError:
            os.close(self._memory)
            raise
        self._asked: deque[Open] = deque()  # and not yet opened
        self._models: dict[int, tuple[Open, Opened]] = {}  # by their numbers
        self._windows = self._results = np.empty(0, np.float32)
        self._number = 0
        self._idle_seconds = idle_seconds

    def _start(self, module: str, link: int) -> Program:
        """Start a process that computes with its own libraries, set as it needs them."""
        command = python("-m", module, str(link), str(self._memory))
        # Of a session of its own, or an interrupt at the terminal would end it before its owner has closed.
        return Program(command, files=[link, self._memory], environment=_ONE_THREAD, own_session=True)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.has_ended

    def open(self, order: Open) -> None:
        """Have a model opened; `opened` tells when it is.

        Raises:
            WorkerLostError: the process ended.
        """
        self._send(order)
        self._asked.append(order)

    def opened(self, seconds: float | None = None) -> Opened | None:
        """Wait until the model that was asked for first, of those that are not open, is; None where that takes longer.

        Args:
            seconds: how long to wait at most; as long as it takes, where absent.

        Raises:
            BundleError, RuntimeUnavailableError: it cannot be opened.
            WorkerLostError: the process ended.
        """
        word = self._hear(seconds)
        if word is None:
            return None
        asked = self._asked.popleft()
        if isinstance(word, Refused):
            raise _error_of(word)
        if not isinstance(word, Opened):
            raise WorkerLostError("it said what nobody understands")
        self._models[asked.model] = asked, word
        self._share()
        return word

    def forget(self, model: int) -> None:
        """Have a model let go of, by its number.

        Raises:
            WorkerLostError: the process ended.
        """
        del self._models[model]
        self._send(Forget(model))

    def score(
        self, model: int, windows: Sequence[NDArray[np.float32]], *, embeds: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Have windows scored.

        Args:
            model: the number of one that is open.
            windows: float32 [samples] each, at most its `max_batch`.
            embeds: whether their embeddings are wanted too.

        Returns:
            float32 [n, labels] and float32 [n, d], where d is 0 if embeddings are not wanted.

        Raises:
            WorkerLostError: the process ended, or does nothing any more and was ended.
            BundleError: the runtime cannot compute the model.
        """
        wanted, opened = self._models[model]
        count = len(windows)
        np.stack(windows, out=self._windows[: count * wanted.samples].reshape(count, wanted.samples))
        self._number += 1
        self._send(Score(self._number, model, count, embeds))
        word = self._wait()
        if isinstance(word, Refused):
            raise _error_of(word)
        if not isinstance(word, Done) or word.number != self._number:
            raise WorkerLostError("it said what nobody understands")
        cuts = np.cumsum([count * opened.labels, count * opened.embedding * embeds])
        scores, embeddings, _ = np.split(self._results, cuts)
        return scores.reshape(count, -1).copy(), embeddings.reshape(count, -1).copy()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.end()
        os.close(self._memory)

    def _share(self) -> None:
        """Lay out the memory for the largest batch of any model; the system gives it where it is written to."""
        windows = max(wanted.max_batch * wanted.samples for wanted, _ in self._models.values())
        results = max(wanted.max_batch * (opened.labels + opened.embedding) for wanted, opened in self._models.values())
        output = _in_pages(windows)
        size = output + _in_pages(results)
        os.ftruncate(self._memory, size)
        shared = np.frombuffer(mmap.mmap(self._memory, size), np.float32)
        self._windows, self._results = np.split(shared, [output // _FLOAT])
        self._send(Map(output, size))

    def _wait(self) -> Word:
        """Wait for what becomes of a batch, for as long as the process works for it."""
        used = processor_seconds(self.pid)
        given = worked = time.monotonic()
        while (word := self._hear(_LOOK_SECONDS)) is None:
            before, used, now = used, processor_seconds(self.pid), time.monotonic()
            worked = now if used != before else worked
            if now - worked > self._idle_seconds:
                raise WorkerLostError(f"it did nothing for {self._idle_seconds:g} s")
            if now - given > _SILENT_SECONDS:
                raise WorkerLostError(f"it gave no scores for {_SILENT_SECONDS:g} s")
        return word

    def _send(self, order: Order) -> None:
        try:
            self._process.link.send(order)
        except OSError:
            raise WorkerLostError(self._process.end()) from None

    def _hear(self, seconds: float | None) -> Word | None:
        try:
            word, _ = self._process.link.receive(seconds)
        except SilentError:
            return None
        except EOFError:
            raise WorkerLostError(self._process.end()) from None
        except LinkError as error:
            raise WorkerLostError(str(error)) from error
        found: Word = word
        return found


def _in_pages(floats: int) -> int:
    return -(-_FLOAT * floats // mmap.PAGESIZE) * mmap.PAGESIZE


def _error_of(refused: Refused) -> StreamtagError:
    error: StreamtagError = getattr(errors, refused.kind)(refused.reason)
    return error
