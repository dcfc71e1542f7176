"""How a command notices that its configuration is to be read anew: the file was written, or SIGHUP came."""

import os
import signal
import time
from types import FrameType

__all__ = ["Edits", "Hangups"]

_EDIT_SECONDS = 1.0


class Edits:
    """Notices that the file was written anew, once nobody has written to it for a second."""

    def __init__(self, path: str) -> None:
        """Take note of the file as it is now."""
        self._path = path
        self._known = self._last = self._look()
        self._due = time.monotonic() + _EDIT_SECONDS

    def poll(self) -> bool:
        """Tell whether the file was changed since the last time that this was told."""
        if time.monotonic() < self._due:
            return False
        self._due = time.monotonic() + _EDIT_SECONDS
        before, self._last = self._last, self._look()
        if self._last is None or self._last == self._known or self._last != before:
            return False
        self._known = self._last
        return True

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None  # an editor that puts another file in its place may leave none for a moment
        return found.st_mtime_ns, found.st_size, found.st_ino


class Hangups:
    """Notices SIGHUP."""

    def __init__(self) -> None:
        """Catch it from now on."""
        self._pending = False
        signal.signal(signal.SIGHUP, self._note)

    def poll(self) -> bool:
        """Tell whether a SIGHUP came since the last look."""
        pending, self._pending = self._pending, False
        return pending

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._pending = True
