"""Taking a source's URI apart."""

import re
from pathlib import Path

__all__ = ["PLAYLIST", "PLAYLISTS", "split"]

PLAYLIST = "a playlist"
"""The scheme of a path to one; nobody can write it."""

PLAYLISTS = frozenset({".asx", ".m3u", ".pls", ".wax", ".wvx", ".xspf"})

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_OWN = frozenset({"file", "mic", "sdp", "zmq"})


def split(uri: str) -> tuple[str, str]:
    """The scheme (lower case) and what follows it.

    A bare path is a `file`, or a `PLAYLIST` if its name ends so; standard input is `-`. A path behind `file:` is never
    a playlist: who tags a recording is led to no server.
    """
    if uri == "-":
        return "-", ""
    match = _SCHEME.match(uri)
    if match is None:
        return PLAYLIST if Path(uri).suffix.lower() in PLAYLISTS else "file", uri
    # A recording's name may hold a colon: "take:2.wav" is a file if such a file is there.
    if "//" not in uri and match[1].lower() not in _OWN and _is_there(uri):
        return "file", uri
    return match[1].lower(), uri[match.end() :]


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # such as a name that is too long
        return False
