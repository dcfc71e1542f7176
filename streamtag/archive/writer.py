"""Rows into parts, each written when it is old or large enough."""

import time
from typing import Final

from streamtag.archive.folder import Run
from streamtag.archive.parquet import ModelId, write_part
from streamtag.archive.rows import Row

__all__ = ["PartWriter"]

_MOST_BYTES: Final = 32 << 20
_LONGEST_SECONDS: Final = 60.0
_SHARE: Final = 0.25
"""A part is open for no more than this share of the run's time: of what a killed run did so much is lost at most."""


class PartWriter:
    """Gathers rows and writes them.

    Attributes:
        parts: how many parts were written.
        rows: how many rows are in them.
    """

    def __init__(self, run: Run, model: ModelId) -> None:
        self.parts = 0
        self.rows = 0
        self._run = run
        self._model = model
        self._waiting: list[Row] = []
        self._bytes = 0
        self._began = self._opened = time.monotonic()

    def add(self, row: Row) -> None:
        """Take a row in."""
        if not self._waiting:
            self._opened = time.monotonic()
        self._waiting.append(row)
        self._bytes += row.size

    def write_due(self) -> None:
        """Write what waits if it is time for it.

        Raises:
            OSError: it cannot be written.
        """
        now = time.monotonic()
        longest = min(_LONGEST_SECONDS, max(1.0, _SHARE * (now - self._began)))
        if self._waiting and (self._bytes >= _MOST_BYTES or now - self._opened >= longest):
            self.write()

    def write(self) -> None:
        """Write what waits.

        Raises:
            OSError: it cannot be written.
        """
        if self._waiting:
            write_part(self._run.part(self.parts + 1), self._waiting, self._model)
            self.parts += 1
            self.rows += len(self._waiting)
            self._waiting, self._bytes = [], 0
