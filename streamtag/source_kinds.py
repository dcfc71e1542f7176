"""The kinds of sources: what each is called, and how it is treated; and how a source's URI falls apart.

A new kind is one module in `streamtag/sources` with a function `open_request`, and one line in `SOURCES`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

__all__ = [
    "FORMS",
    "PLAYLIST",
    "PLAYLIST_SUFFIXES",
    "SOURCES",
    "Form",
    "SourceKind",
    "kind_of",
    "split_uri",
    "who_takes",
]

PLAYLIST: Final = "a playlist"
"""The scheme of a path to one; nobody can write it."""
PLAYLIST_SUFFIXES: Final = frozenset({".asx", ".m3u", ".pls", ".wax", ".wvx", ".xspf"})

Form = Literal["name", "path", "url"]
"""What follows a scheme: a name of its own, a path, or a URL."""


class SourceKind(NamedTuple):
    """One kind of source.

    Attributes:
        module: In `streamtag.sources`; empty for what nobody opens, because another program brings it.
        title: What sources of this kind are called.
        schemes: What its URIs begin with, and what follows.
        options: What it takes, named as `[[stream]]` names it; with the schemes where not all of them do.
        received: Where it is received: in a process "alone", in one "together" with others, or "here" in the service,
            because it is neither decoded nor can a library hang with it.
        is_live: Whether it comes back by itself, and is lost where nobody takes it; a recording waits.
        hangs: Whether a process in which it gives nothing any more may hang for good, and is to be replaced.
    """

    module: str
    title: str
    schemes: Mapping[str, Form]
    options: Mapping[str, tuple[str, ...]]
    received: Literal["alone", "together", "here"] = "alone"
    is_live: bool = True
    hangs: bool = False


SOURCES: Final = [
    SourceKind("file", "files", {"file": "path"}, {"realtime": (), "loop": ()}, is_live=False),
    SourceKind(
        "standard_input",
        'PCM on standard input (source = "-")',
        {"-": "name"},
        {"rate": (), "channels": (), "format": ()},
        received="here",
    ),
    SourceKind("microphone", "microphones", {"mic": "name"}, {"rate": (), "channels": ()}, hangs=True),
    SourceKind(
        "network",
        "network streams",
        {
            "http": "url",
            "https": "url",
            "rtsp": "url",
            "rtsps": "url",
            "sdp": "path",
            "udp": "url",
            PLAYLIST: "path",
        },
        {"timeout_seconds": (), "ca_file": ("https", "rtsps"), "leads_to": ("http", "https", "rtsp", "rtsps")},
        received="together",
    ),
    SourceKind("", "PCM that other programs push", {"zmq": "name"}, {}, received="here"),
]
FORMS: Final[Mapping[str, Form]] = MappingProxyType({s: form for kind in SOURCES for s, form in kind.schemes.items()})
"""What follows each scheme."""
_OF_SCHEME: Final = {scheme: kind for kind in SOURCES for scheme in kind.schemes}
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def split_uri(uri: str) -> tuple[str, str]:
    """Return the scheme (lower case) and what follows it.

    A bare path is a `file`, or a `PLAYLIST` if its name ends so; standard input is `-`. A path behind `file:` is never
    a playlist: who tags a recording is led to no server.
    """
    if uri == "-":
        return "-", ""
    match = _SCHEME.match(uri)
    if match is None:
        return PLAYLIST if Path(uri).suffix.lower() in PLAYLIST_SUFFIXES else "file", uri
    scheme = match[1].lower()
    # A recording's name may hold a colon: "take:2.wav" is a file if such a file is there.
    if "//" not in uri and FORMS.get(scheme) not in ("name", "path") and _is_there(uri):
        return "file", uri
    return scheme, uri[match.end() :]


def kind_of(uri: str) -> SourceKind | None:
    """Return the kind of a source, None where there is none of its scheme."""
    return _OF_SCHEME.get(split_uri(uri)[0])


def who_takes(option: str) -> Mapping[str, str]:
    """Return the schemes that take an option of `[[stream]]`, and what their sources are called."""
    takers = {}
    for kind in SOURCES:
        if option in kind.options:
            some = kind.options[option]
            takers.update({each: f"{each}://" for each in some} or dict.fromkeys(kind.schemes, kind.title))
    return {scheme: title for scheme, title in takers.items() if scheme != PLAYLIST}


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # such as a name that is too long
        return False
