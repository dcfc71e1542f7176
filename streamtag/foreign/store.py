"""The user's folder of added bundles: put there whole or not at all, and taken away."""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from streamtag.bundle_paths import added, added_folder, installed
from streamtag.errors import BundleError, ConfigError

__all__ = ["NAME_FORM", "check_name", "fitting_name", "install", "remove"]

_NAME: Final = r"\A(?!\.)[A-Za-z0-9_.-]{1,64}\Z"
NAME_FORM: Final = "1 to 64 letters, digits, and _ . - (not first a dot)"


def check_name(name: str) -> str:
    """Return a name by which a bundle may be added.

    Raises:
        ConfigError: it is none, or that of a packaged bundle.
    """
    if not re.match(_NAME, name):
        raise ConfigError(f"{name!r} cannot name a model: use {NAME_FORM}; give one with --name")
    if name in installed():
        raise ConfigError(f"{name} is the name of a packaged model: give another with --name")
    return name


def fitting_name(text: str) -> str:
    """Return the name nearest to a text by which a bundle may be added."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")[:64]


def install(name: str, make: Callable[[Path], None], *, force: bool) -> Path:
    """Have a bundle made in a new folder, and put it among the added ones; return where it is.

    Args:
        name: by which it will be known.
        make: writes the whole bundle into the folder that it is given, and raises where that fails: nothing is added
            then, and what was there stays.
        force: whether one of this name is replaced.

    Raises:
        ConfigError: one of this name is there.
        BundleError: the folder cannot be written.
    """
    target = added_folder() / check_name(name)
    _check_free(target, force=force)
    try:
        added_folder().mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".adding-", dir=added_folder()))
    except OSError as error:
        raise BundleError(f"{added_folder()}: cannot be written: {error.strerror}: set XDG_DATA_HOME") from error
    try:
        make(fresh)
        fresh.chmod(0o755)
        with _alone():
            _check_free(target, force=force)  # somebody else may have been faster
            _swap(fresh, target)
    except OSError as error:
        raise BundleError(f"{target}: cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def remove(name: str) -> Path:
    """Take an added bundle away; return where it was.

    Raises:
        ConfigError: there is none of this name, or it is a packaged one.
        BundleError: it cannot be taken away.
    """
    if name in installed():
        raise ConfigError(f"{name} is a packaged model, which stays")
    if name not in added():
        known = ", ".join(added()) or "none"
        raise ConfigError(f"{name!r}: no such added model; added are: {known}")
    path = added_folder() / name
    try:
        with _alone():
            gone = Path(tempfile.mkdtemp(prefix=".adding-", dir=added_folder()))
            path.rename(gone / name)
    except OSError as error:
        raise BundleError(f"{path}: cannot be removed: {error.strerror}") from error
    shutil.rmtree(gone, ignore_errors=True)
    return path


def _check_free(target: Path, *, force: bool) -> None:
    if not force and os.path.lexists(target):
        raise ConfigError(f"{target.name}: there is a model of this name: replace it with --force, or give --name")


def _swap(fresh: Path, target: Path) -> None:
    """Put a folder in another's place, which goes first for a moment: whoever reads it then finds none."""
    before = Path(tempfile.mkdtemp(prefix=".adding-", dir=target.parent))
    try:
        if os.path.lexists(target):
            target.rename(before / target.name)
        try:
            fresh.rename(target)
        except OSError:
            if os.path.lexists(before / target.name):
                (before / target.name).rename(target)
            raise
    finally:
        shutil.rmtree(before, ignore_errors=True)


@contextmanager
def _alone() -> Iterator[None]:
    """Keep others who add or remove waiting."""
    folder = os.open(added_folder(), os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
