"""Writing a file anew so that nothing but its text changes, whole or not at all, one after the other."""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from streamtag.atomic_file import Draft, sync_folder

__all__ = ["BusyError", "rewrite"]

_LOCK_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.02

_threads = threading.Lock()


class BusyError(OSError):
    """Somebody else is writing the file."""


def rewrite(
    path: Path,
    change: Callable[[str], str],
    check: Callable[[Path], object],
    lock_seconds: float = _LOCK_SECONDS,
) -> None:
    """Replace the text of a file; owner, group, mode, links and what else hangs on it stay.

    Args:
        path: UTF-8 text.
        change: Makes the new text of the old one.
        check: Called with a draft in the same folder, before anything is changed; lets an error out where it is wrong.
        lock_seconds: How long to wait while others write it.

    Raises:
        BusyError: Others have been writing it for seconds, or did while it was changed.
        OSError: It cannot be read or written; it is then as it was before.
        UnicodeDecodeError: It is no UTF-8.
    """
    path = path.resolve()
    with _alone(path.parent, lock_seconds):
        before, state = path.read_bytes(), _state(path)
        after = change(before.decode("utf-8")).encode("utf-8")
        with Draft(path, prefix=f".{path.name}.", mode=0o600) as draft:
            draft.file.write(after)
            draft.sync()
            is_like = _make_like(draft.file.fileno(), path)
            check(draft.path)
            if _state(path) != state:
                raise BusyError(f"{path.name} was changed by another program at the same moment; try again")
            if is_like:
                draft.publish()
                sync_folder(path.parent)
            else:
                _write_over(path, before, after)


@contextmanager
def _alone(folder: Path, seconds: float) -> Iterator[None]:
    """Keep other threads and programs that write this way from the files of a folder; it leaves nothing behind."""
    deadline = time.monotonic() + seconds
    if not _threads.acquire(timeout=seconds):
        raise BusyError("others are saving too; try again")
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            while not _lock(descriptor):
                if time.monotonic() >= deadline:
                    raise BusyError("another program is saving too; try again")
                time.sleep(_LOOK_SECONDS)
            yield
        finally:
            os.close(descriptor)
    finally:
        _threads.release()


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks on folders: this program's own threads are kept apart all the same
    return True


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _make_like(draft: int, path: Path) -> bool:
    """Give a draft what hangs on a file; False where another file in its place could not be the same."""
    like = path.stat()
    if like.st_nlink > 1:
        return False  # other names of it would keep the old text
    try:
        os.fchown(draft, like.st_uid, like.st_gid)
        for name in os.listxattr(path):  # access lists among them
            if not name.startswith("security."):
                os.setxattr(draft, name, os.getxattr(path, name))
        os.fchmod(draft, like.st_mode & 0o7777)
    except OSError:
        return False
    return True


def _write_over(path: Path, before: bytes, after: bytes) -> None:
    with path.open("r+b", buffering=0) as file:
        try:
            if len(after) > len(before):
                os.posix_fallocate(file.fileno(), 0, len(after))  # if there is no room, it is told now
            _fill(file.fileno(), after)
        except BaseException:
            with suppress(OSError):  # no more room is needed than it has
                _fill(file.fileno(), before)
            raise


def _fill(descriptor: int, text: bytes) -> None:
    done = 0
    while done < len(text):
        done += os.pwrite(descriptor, text[done:], done)
    os.ftruncate(descriptor, len(text))
    os.fsync(descriptor)
