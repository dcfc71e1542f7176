"""SIGINT and SIGTERM as a flag, so that a live command ends in good order."""

import signal
import threading
import time
from types import FrameType

__all__ = ["Stop"]


class Stop:
    """Is raised by SIGINT and SIGTERM, or by the clock; to be made in the main thread."""

    def __init__(self, seconds: float | None = None) -> None:
        """Catch the two signals from now on; stop by the clock after `seconds`, if given."""
        self._raised = threading.Event()
        self._deadline = None if seconds is None else time.monotonic() + seconds
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._raise)

    def __bool__(self) -> bool:
        return self._raised.is_set() or (self._deadline is not None and time.monotonic() >= self._deadline)

    def wait(self, seconds: float) -> None:
        """Wait at most `seconds` for the flag; the clock counts too."""
        if self._deadline is not None:
            seconds = min(seconds, max(0.0, self._deadline - time.monotonic()))
        self._raised.wait(seconds)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        self._raised.set()
