"""Memory that another process of the same machine is shown by name."""

import mmap
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["SharedMemory", "abandoned"]

_FOLDER: Final = Path("/dev/shm")  # noqa: S108 - where shm_open(3) looks on Linux
_NAME: Final = re.compile(r"streamtag-(\d+)-[0-9a-f]{8}")


class SharedMemory:
    """Memory that `shm_open` finds by its name until that is taken away; it goes with the last process that has it.

    Attributes:
        name: By which others find it.
        array: float32 [n], the memory itself.
    """

    def __init__(self, values: int) -> None:
        """Make it, for so many float32, with room in memory for all of them.

        Raises:
            OSError: There is no room for it, or no such memory here.
        """
        self.name = f"streamtag-{os.getpid()}-{secrets.token_hex(4)}"
        self._path = _FOLDER / self.name
        file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            os.posix_fallocate(file, 0, 4 * values)
            self._memory = mmap.mmap(file, 4 * values)
        except BaseException:
            self.hide()
            raise
        finally:
            os.close(file)
        self.array: NDArray[np.float32] = np.frombuffer(self._memory, np.float32)

    def hide(self) -> None:
        """Take the name away: whoever has the memory keeps it, and nothing is left behind when they end."""
        self._path.unlink(missing_ok=True)


def abandoned(names: Iterable[Any]) -> list[str]:
    """Return those of the names whose process has ended."""
    found = []
    for name in map(str, names):
        owner = _NAME.fullmatch(name)
        if owner is not None and not Path(f"/proc/{owner[1]}").exists():
            found.append(name)
    return found
