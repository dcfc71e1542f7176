"""Trouble that comes and goes, told so that a log can be read."""

import logging
import time
from typing import Final

__all__ = ["SURE_SECONDS", "Trouble"]

SURE_SECONDS: Final = 10.0
"""How long all must go well before trouble is over: a disk with a byte to spare is full and not full every second."""

logger = logging.getLogger(__name__)


class Trouble:
    """Logs when trouble begins and when it is over.

    Attributes:
        reason: What is wrong; empty where all is well.
    """

    def __init__(self, begins: str, ends: str, sure_seconds: float = SURE_SECONDS) -> None:
        """Begin without trouble.

        Args:
            begins: What to log of it, with %s where the reason belongs.
            ends: What to log when it is over.
            sure_seconds: How long all must have gone well by then.
        """
        self.reason = ""
        self._begins = begins
        self._ends = ends
        self._sure_seconds = sure_seconds
        self._well_since: float | None = None

    def bad(self, reason: str) -> None:
        """Hear that it went wrong."""
        if not self.reason:
            logger.warning(self._begins, reason)
        self.reason, self._well_since = reason, None

    def good(self) -> None:
        """Hear that it went well."""
        if not self.reason:
            return
        now = time.monotonic()
        if self._well_since is None:
            self._well_since = now
        if now - self._well_since >= self._sure_seconds:
            self.reason = ""
            logger.info("%s", self._ends)
