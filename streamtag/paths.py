"""Paths as people write them."""

import os
from pathlib import Path
from urllib.parse import unquote

__all__ = ["of_file_url", "user_path"]


def user_path(text: str, folder: Path | None = None) -> Path:
    """Return the path that a text means: `~` is the home folder, unless a file of this very name is there.

    Args:
        text: as it was written.
        folder: where relative paths begin; the working folder when absent.
    """
    path = (folder or Path()) / text
    if not text.startswith("~") or os.path.lexists(path):
        return path
    try:
        return Path(text).expanduser()
    except RuntimeError:  # no user of this name, or no home: it is a name like any other
        return path


def of_file_url(rest: str) -> str:
    """Return the path that stands behind `file:`: as it is, or of a URL (`///path`, `//localhost/path`; RFC 8089).

    A URL writes some characters as `%20`; who wrote them as they are is understood where a file of this name is there.
    """
    for begin in ("///", "//localhost/"):
        if rest.startswith(begin):
            path = "/" + rest.removeprefix(begin)
            decoded = unquote(path, errors="surrogateescape")
            return decoded if os.path.lexists(decoded) or not os.path.lexists(path) else path
    return rest
