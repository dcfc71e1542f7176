"""Which recordings an archive is made of."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from streamtag.errors import ConfigError
from streamtag.recordings import search
from streamtag.redaction import redact

__all__ = ["Recording", "Shard", "State", "recordings", "state_of"]

_LIST = "@"


class State(NamedTuple):
    """By what a recording is known to have changed; both None where it cannot be looked at."""

    bytes: int | None
    """How large it is."""
    mtime: float | None
    """Unix seconds at which it was last changed."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A file of the archive."""

    path: str
    """Absolute; bytes that are no text are surrogates."""
    state: State


@dataclass(frozen=True, slots=True)
class Shard:
    """The part of an archive that one of several runs tags."""

    number: int = 1
    """From 1."""
    of: int = 1

    def holds(self, path: str) -> bool:
        """Whether a recording is of this shard: by a hash of its path, wherever it is asked."""
        if self.of == 1:
            return True
        digest = hashlib.blake2b(os.fsencode(path), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}of{self.of}"


def state_of(path: str) -> State:
    """Return the state of a file as it is now."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return State(None, None)
    return State(status.st_size, status.st_mtime)


def recordings(names: list[str], shard: Shard) -> Iterator[Recording | str]:
    """Yield each recording of a shard once, and in its place a line for what holds none.

    Args:
        names: files, folders, which are searched, and `@LIST`, a file with one of either a line.
        shard: which of them to yield.

    Raises:
        ConfigError: a list cannot be read.
    """
    seen: set[bytes] = set()
    for name in _listed(names):
        for path in _found(name):
            if isinstance(path, Path):
                whole = os.path.abspath(path)
                mark = hashlib.blake2b(os.fsencode(whole), digest_size=12).digest()
                if mark not in seen and shard.holds(whole):
                    seen.add(mark)
                    yield Recording(whole, state_of(whole))
            else:
                yield path


def _listed(names: list[str]) -> Iterator[str]:
    for name in names:
        if not name.startswith(_LIST):
            yield name
            continue
        try:
            with open(name[1:], encoding="utf-8", errors="surrogateescape") as lines:
                yield from (text for line in lines if (text := line.removeprefix("\ufeff").rstrip("\r\n")))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConfigError(f"{name}: the list cannot be read: {reason}") from error


def _found(name: str) -> Iterator[Path | str]:
    if not name:
        yield "'': an empty name is no recording; name a file or a folder"
        return
    if not os.path.isdir(name):
        # What is not there may be a URL with a password, which must not stand in a row.
        shown = redact(name)
        yield Path(name) if shown == name else f"{shown}: there is no such file"
        return
    empty = True
    for path, problem in search(Path(name)):
        empty = False
        yield problem or path
    if empty:
        yield f"{name}: there are no recordings in this folder"
