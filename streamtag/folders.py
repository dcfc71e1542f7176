"""Where this program keeps what it can make again, and what a user gave it."""

import os
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

__all__ = ["NOWHERE", "cache_folder", "data_folder"]

NOWHERE = Path(os.devnull, "streamtag")
"""A path at which nothing can be kept: reading and writing fail with an `OSError`."""


def cache_folder() -> Path:
    """Return the user's cache folder, whether or not it is there.

    Where the user has no home (a service's account, a container's number) it is `NOWHERE`: as good as a folder without
    the right to write.
    """
    try:
        return user_cache_path("streamtag")
    except RuntimeError:
        return NOWHERE


def data_folder() -> Path:
    """Return the user's folder for what is to stay, whether or not it is there; `NOWHERE` as of `cache_folder`."""
    try:
        return user_data_path("streamtag")
    except RuntimeError:
        return NOWHERE
