"""SIGINT and SIGTERM as a flag, so that a live command ends in good order."""

import queue
import signal
import time
from contextlib import suppress
from types import FrameType

__all__ = ["Stop"]


class Stop:
    """Is raised by SIGINT and SIGTERM, or by the clock; to be made in the main thread."""

    def __init__(self, seconds: float | None = None) -> None:
        """Catch the two signals from now on; stop by the clock after `seconds`, if given."""
        self._is_raised = False
        # A signal may come while another one's is handled, and `timeout` and systemd send two at once: what wakes
        # whoever waits must be for that. threading.Event would wait for its own lock for ever.
        self._woken: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._deadline = None if seconds is None else time.monotonic() + seconds
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._raise)

    def __bool__(self) -> bool:
        return self._is_raised or (self._deadline is not None and time.monotonic() >= self._deadline)

    def wait(self, seconds: float) -> None:
        """Wait at most `seconds` for the flag; the clock counts too."""
        if self._deadline is not None:
            seconds = min(seconds, max(0.0, self._deadline - time.monotonic()))
        if not self._is_raised:
            with suppress(queue.Empty):
                self._woken.get(timeout=seconds)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        self._is_raised = True
        self._woken.put(None)
