"""Threads: here they are made, named, watched and ended; no thread of the program dies unheard."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from streamtag.backoff import Backoff
from streamtag.redaction import scrub

__all__ = ["Worker"]

_PAUSES: Final = Backoff(0.1, 30.0)
# Whoever worked for so long begins anew with the shortest pause.
_SETTLED_SECONDS = 60.0

logger = logging.getLogger(__name__)


class Worker:
    """A thread that runs one function, and never ends by an error that nobody hears of.

    An error that was not foreseen goes, with one line and its trace, to the log. Then either the function is run
    again, after a pause that doubles up to half a minute, or somebody is told and the thread ends: that is chosen where
    the thread is made. Threads are daemons: none keeps the process from ending.

    Attributes:
        name: What the thread is called, in the log and by the system.
        restarts: How often the function was run again.
        beats: How many rounds its loop has done, where it counts them.
        error: The error that ended the thread; None while it runs, and where it ended by itself.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[], None],
        *,
        on_failure: Callable[[BaseException], None] | None = None,
        pauses: Backoff = _PAUSES,
    ) -> None:
        """Prepare the thread; `start` starts it.

        Args:
            name: What to call it; `streamtag-` goes before it.
            run: What it does; it returns when the thread is to end.
            on_failure: Told of an unforeseen error, in the thread itself, which then ends. None: `run` is run again.
            pauses: Before it is run again.
        """
        self.name = name
        self.restarts = 0
        self.beats = 0
        self.error: BaseException | None = None
        self._run = run
        self._on_failure = on_failure
        self._pauses = pauses
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"streamtag-{name}", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether the thread was started and has not ended."""
        return self._thread.is_alive()

    def start(self) -> "Worker":
        """Start the thread and return itself."""
        self._thread.start()
        return self

    def beat(self) -> None:
        """Count a round, in the thread itself; whoever looks after it sees by that that it goes on."""
        self.beats += 1

    def join(self, seconds: float | None = None) -> None:
        """Wait for the thread's end for at most `seconds`; what fails from now on is not run again."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(None if seconds is None else max(0.0, seconds))

    def _watch(self) -> None:
        pause = self._pauses.first
        while True:
            began = time.monotonic()
            try:
                self._run()
                return
            except BaseException as error:  # a thread's outermost edge
                if self._on_failure is not None:
                    logger.error("the thread %s failed: %s", self.name, _in_words(error), exc_info=error)
                    self.error = error
                    self._on_failure(error)
                    return
                if self._ending.is_set():
                    logger.exception("the thread %s failed while it was ended: %s", self.name, _in_words(error))
                    return
                if time.monotonic() - began > _SETTLED_SECONDS:
                    pause = self._pauses.first
                logger.exception(
                    "the thread %s failed and is made anew in %g s: %s", self.name, pause, _in_words(error)
                )
            self._ending.wait(pause)
            if self._ending.is_set():
                return
            pause = self._pauses.after(pause)
            self.restarts += 1


def _in_words(error: BaseException) -> str:
    return " ".join(scrub(f"{type(error).__name__}: {error}").split())
