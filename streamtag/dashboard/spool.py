"""Files that a visitor's upload or download needs for a moment: bounded together, gone afterwards."""

import errno
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

from streamtag.dashboard.slots import Slots

__all__ = ["Spool"]

_FREE_BYTES: Final = 256 << 20
"""Of the disk at least so much is left to others."""


class Spool:
    """Files of uploads and downloads. They may be many and slow; worked on are two at once, one of a visitor."""

    def __init__(self, folder: Path) -> None:
        """Keep the files in a folder of nobody else's."""
        self._folder = folder
        self._files = Slots(in_all=16, by_visitor=8, waiting=8, seconds=15.0)
        self._work = Slots(in_all=2, by_visitor=1, waiting=8, seconds=300.0)
        self._made = 0

    @asynccontextmanager
    async def file(self, visitor: str) -> AsyncIterator[Path]:
        """Yield a place for a file, removed at the end.

        Raises:
            FullError: Too many are in use, and went on being so.
        """
        async with self._files.taken(visitor):
            self._made += 1
            path = self._folder / f"file-{self._made}"
            try:
                yield path
            finally:
                path.unlink(missing_ok=True)

    def work(self, visitor: str) -> AbstractAsyncContextManager[object]:
        """Be one of the few who have their file written or read by this machine.

        Raises:
            FullError: Too many wait for it.
        """
        return self._work.taken(visitor)

    def check_room(self) -> None:
        """Find out whether more may be written.

        Raises:
            OSError: The disk is full but for what others need.
        """
        if shutil.disk_usage(self._folder).free < _FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
