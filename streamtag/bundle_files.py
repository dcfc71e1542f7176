"""Files of a bundle's folder or archive, which may be anybody's: bounded before they are read, none from elsewhere."""

import os
import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Final

from streamtag.errors import BundleError

__all__ = ["FILE_NAME", "MOST_BYTES", "holds", "read_file"]

FILE_NAME: Final = r"\A(?!(.*/)?\.\.?(/|\Z))[A-Za-z0-9_.+-]{1,100}(/[A-Za-z0-9_.+-]{1,100}){0,3}\Z"
"""What a file of a bundle may be called, as a pattern: below the bundle, and nothing a terminal takes for more."""
MOST_BYTES: Final = 2 << 30
"""A larger file is not read. ONNX itself goes no further."""
_MOST_RATIO: Final = 50
"""An archive whose files grow more than this is not unpacked: weights shrink hardly at all, and graphs a little."""
_FREE_BYTES: Final = 4 << 20
_MOST_FILES: Final = 10_000
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_DAMAGED_ZIP: Final = (zlib.error, struct.error, EOFError, RuntimeError, ValueError, OverflowError)
"""What reading an archive raises, beside its own error, where bytes of it are damaged."""


def read_file(bundle: Path, name: str, most: int) -> bytes:
    """Return a file's content.

    Args:
        bundle: the folder, or the archive.
        name: the file's name in it.
        most: how many bytes it may have.

    Raises:
        BundleError: it is missing or damaged, larger than it may be, or no file.
    """
    if not re.match(FILE_NAME, name):
        raise BundleError(f"bundle {bundle}: {name!r} cannot name a file of it")
    try:
        if bundle.is_dir():
            return _read_plain(bundle, name, most)
        with zipfile.ZipFile(bundle) as archive:
            return _read_packed(archive, bundle, name, most)
    except (zipfile.BadZipFile, NotImplementedError, *_DAMAGED_ZIP) as error:
        what = "not a bundle: neither a folder nor a zipped one that is whole"
        raise BundleError(f"bundle {bundle}: {what}: {error}") from error
    except (OSError, KeyError) as error:
        raise BundleError(f"bundle {bundle}: {name} cannot be read: {error}") from error


def holds(bundle: Path, name: str) -> bool:
    """Tell whether a bundle that could be read before has a file of this name."""
    if bundle.is_dir():
        return (bundle / name).is_file()
    with zipfile.ZipFile(bundle) as archive:
        return name in archive.namelist()


def _read_plain(bundle: Path, name: str, most: int) -> bytes:
    # What is no file (a device, a pipe) may never end, or keep its reader waiting where it is opened.
    descriptor = os.open(bundle / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise BundleError(f"bundle {bundle}: {name} cannot be read: it is not a file")
        _check_size(bundle, name, found.st_size, most)
        content = file.read(most + 1)
    _check_size(bundle, name, len(content), most)
    return content


def _read_packed(archive: zipfile.ZipFile, bundle: Path, name: str, most: int) -> bytes:
    if len(archive.infolist()) > _MOST_FILES:
        raise BundleError(f"bundle {bundle}: it holds {len(archive.infolist())} files; at most {_MOST_FILES}")
    about = archive.getinfo(name)
    _check_size(bundle, name, about.file_size, most)
    if about.compress_type not in _METHODS:
        raise BundleError(f"bundle {bundle}: {name} is packed in a way that bundles are not")
    if about.file_size > max(_FREE_BYTES, _MOST_RATIO * about.compress_size):
        raise BundleError(
            f"bundle {bundle}: {name} would grow from {about.compress_size} bytes to {about.file_size}; "
            f"at most {_MOST_RATIO} times"
        )
    with archive.open(about) as file:
        return file.read(most + 1)[:most]


def _check_size(bundle: Path, name: str, size: int, most: int) -> None:
    if size > most:
        raise BundleError(f"bundle {bundle}: {name} is damaged or too large: it has {size} bytes, at most {most}")
