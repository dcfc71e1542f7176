"""Values with large arrays that several processes read: the arrays lie once in a file that each of them maps."""

import mmap
import os
import pickle
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar, cast

__all__ = ["Shared"]

T = TypeVar("T")

_ALIGN = 64
"""Where an array may begin: NumPy's widest loads, and a processor's cache line."""


class Shared(Generic[T]):
    """A value that a pool's processes are given, whatever they were started by, without a copy of its arrays in each.

    The file has no name: it is gone with the process that made it, however that ends.
    """

    def __init__(self, value: T, folder: Path) -> None:
        """Write the value's arrays, which are not to be changed by whoever reads them.

        Args:
            value: what can be pickled.
            folder: where there is room for its arrays.

        Raises:
            OSError: there is none.
        """
        arrays: list[pickle.PickleBuffer] = []
        self._pickled = pickle.dumps(value, protocol=5, buffer_callback=arrays.append)
        self._spans: list[tuple[int, int]] = []
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed at the end of the `with`
        try:
            end = self._file.write(bytes(_ALIGN))  # an empty file cannot be mapped
            for array in arrays:
                size = self._file.write(array.raw())
                self._spans.append((end, size))
                end += size + self._file.write(bytes(-size % _ALIGN))
            self._file.flush()
        except OSError:
            self._file.close()
            raise
        self._path = f"/proc/{os.getpid()}/fd/{self._file.fileno()}"

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the file; it is gone as soon as nobody has it mapped."""
        self._file.close()

    def __getstate__(self) -> dict[str, object]:
        """Return what another process of this machine reads it by, while this one has it open."""
        return {key: value for key, value in vars(self).items() if key != "_file"}

    def read(self) -> T:
        """Return the value; its arrays are read-only, and in memory as far as they are looked at."""
        with open(self._path, "rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        arrays = [mapped[start : start + size] for start, size in self._spans]
        return cast("T", pickle.loads(self._pickled, buffers=arrays))
