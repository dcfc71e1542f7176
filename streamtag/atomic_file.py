"""A file that is written whole or not at all: into a draft in the same folder, which takes the file's name at last."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from types import TracebackType

__all__ = ["Draft", "sync_folder", "write_whole"]

# Short, for the file's own name may be as long as names can be; hidden, for nobody is to take it for a result.
_PREFIX = ".streamtag-"


class Draft:
    """A new file beside another one; it goes at the end of the `with`, unless `publish` gave it the other's name.

    Attributes:
        path: where it is.
        file: open for writing.
    """

    def __init__(self, target: Path, *, prefix: str = _PREFIX, suffix: str = "", mode: int = 0o666) -> None:
        """Make the file.

        Args:
            target: whose name it is to get, and beside which it lies.
            prefix: how its name begins.
            suffix: how its name ends.
            mode: who may do what with it, as far as the process's mask lets them.

        Raises:
            OSError: it cannot be made.
        """
        self.path = target.parent / f"{prefix}{secrets.token_hex(4)}{suffix}"
        self.file = open(self.path, "xb", opener=lambda path, flags: os.open(path, flags, mode))  # noqa: SIM115
        self._target = target
        self._is_published = False

    def __enter__(self) -> "Draft":
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, and remove it where it was not published."""
        with suppress(OSError):  # what could not be written was an error before
            self.file.close()
        if not self._is_published:
            with suppress(OSError):
                self.path.unlink()

    def sync(self) -> None:
        """Have on the disk what was written.

        Raises:
            OSError: the disk is full, or broken.
        """
        self.file.flush()
        os.fsync(self.file.fileno())

    def publish(self) -> None:
        """Give the draft the file's name; whoever opens that finds the old content or the new one.

        Raises:
            OSError: what was written cannot be kept, or the name be given; the file is as it was before.
        """
        self.file.close()
        self.path.replace(self._target)
        self._is_published = True


def write_whole(path: Path, content: bytes, *, mode: int | None = None, lasting: bool = True) -> None:
    """Write a file whole or not at all: what was there before stays until it is.

    Args:
        path: where; its folder is there.
        content: what it is to hold.
        mode: who may do what with it; as the process's mask has it when absent.
        lasting: whether it is on the disk when this returns, and outlives a loss of power.

    Raises:
        OSError: it cannot be written; it is as it was before.
    """
    with Draft(path, mode=0o600 if mode is not None else 0o666) as draft:
        draft.file.write(content)
        if mode is not None:
            os.fchmod(draft.file.fileno(), mode)
        if lasting:
            draft.sync()
        draft.publish()
    if lasting:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have on the disk which files a folder holds; not every file system lets one."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
