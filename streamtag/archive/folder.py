"""The folder of an archive: whose turn it is, what is done, and the parts."""

import fcntl
import hashlib
import logging
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from streamtag.archive.inputs import Shard, State
from streamtag.archive.parquet import TEMPORARY, ModelId, PartError, open_part, read_id, write_table
from streamtag.errors import StreamtagError

__all__ = ["Done", "Run", "find_done", "is_run_of", "open_run", "parts", "remove_replaced"]

_LOCK: Final = re.compile(r"\.streamtag-(\d+)of(\d+)\.lock\Z")

_OF_NO_USE: Final = State(-1, None)
"""In this state no recording is."""
_PART: Final = re.compile(r"part-(\d{6,})-.*\.parquet\Z")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """One run's turn in a folder."""

    folder: Path
    shard: Shard
    number: int
    """Higher than those of all runs before it: whose clock is wrong changes nothing."""
    id: str
    """No other run has it."""

    def part(self, number: int) -> Path:
        """Return where the run's part of this number goes: names sort by the runs' order."""
        return self.folder / f"part-{self.number:06}-{self.shard}-{number:06}-{self.id}.parquet"


@contextmanager
def open_run(folder: Path, shard: Shard) -> Iterator[Run]:
    """Begin a run: nobody else may tag the same shard into the same folder meanwhile.

    Runs of the other shards may, of as many shards in all. What killed runs left half written is removed.

    Raises:
        StreamtagError: somebody does, or the folder cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(_lock_of(folder, shard), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StreamtagError(f"{folder}: no archive can be written there: {_reason(error)}") from error
    try:
        if not _try_lock(lock):
            raise StreamtagError(f"{folder}: another run is tagging into this folder ({shard}); wait for its end")
        _refuse_other_cuts(folder, shard)
        try:
            before = parts(folder)
            run = Run(folder, shard, 1 + (_number_of(before[-1]) if before else 0), uuid.uuid4().hex[:8])
            os.ftruncate(lock, 0)
            os.pwrite(lock, run.id.encode(), 0)
            _remove_drafts(folder, shard)
        except OSError as error:
            raise StreamtagError(f"{folder}: no archive can be written there: {_reason(error)}") from error
        yield run
    finally:
        os.close(lock)


def is_run_of(folder: Path, shard: Shard, run_id: str) -> bool:
    """Whether a run is still the one whose turn it is, as seen from any machine that sees the folder."""
    try:
        return _lock_of(folder, shard).read_text() == run_id
    except OSError:
        return False


def _lock_of(folder: Path, shard: Shard) -> Path:
    return folder / f".streamtag-{shard}.lock"


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        logger.warning("this file system knows no locks (%s): see that no other run tags into it", _reason(error))
    return True


def _refuse_other_cuts(folder: Path, shard: Shard) -> None:
    """Where others cut the archive into another number of shards, each would tag what is the other's."""
    for path in folder.iterdir():
        found = _LOCK.match(path.name)
        if found is None or int(found[2]) == shard.of:
            continue
        with path.open() as file:
            if not _try_lock(file.fileno()):
                raise StreamtagError(
                    f"{folder}: another run is tagging into this folder ({found[1]}of{found[2]}); wait for its end, or "
                    f"cut both into as many shards"
                )


def _remove_drafts(folder: Path, shard: Shard) -> None:
    """Remove half-written files of runs that are no more: of this shard, and of other numbers of shards."""
    for path in folder.glob(f".part-*{TEMPORARY}"):
        cut = re.search(r"-(\d+)of(\d+)-", path.name)
        if cut is None or f"{cut[1]}of{cut[2]}" == str(shard) or int(cut[2]) != shard.of:
            with suppress(FileNotFoundError):
                path.unlink()


def parts(folder: Path) -> list[Path]:
    """Return the parts of an archive, those of later runs last.

    Raises:
        OSError: there is no such folder.
    """
    found = [folder / name for name in os.listdir(folder) if _PART.match(name)]
    return sorted(found, key=lambda path: (_number_of(path), path.name))


def _number_of(part: Path) -> int:
    found = _PART.match(part.name)
    return int(found[1]) if found else 0


@dataclass(slots=True)
class Done:
    """What is in an archive of one model's; of a million recordings it takes 160 MB."""

    states: dict[int, int] = field(default_factory=dict)
    """By a hash of a recording's path one of the state in which it was tagged last."""
    again: set[str] = field(default_factory=set)
    """Paths that have more than one row, or are to be tagged again."""

    def add(self, name: str, state: State) -> None:
        """Take in a row, after those of earlier runs."""
        mark = _mark(name)
        if mark in self.states:
            self.again.add(name)
        self.states[mark] = hash(state)

    def has(self, name: str, state: State) -> bool:
        """Whether a recording is done in this state; if it is in another one, that row is to go once this one is."""
        before = self.states.get(_mark(name))
        if before is not None and before != hash(state):
            self.again.add(name)
        return before == hash(state)


def find_done(folder: Path, model: ModelId) -> Done:
    """Return what is done; rows without an embedding are not where one is asked for.

    A part that cannot be read counts as none, and is told of in the log.
    """
    done = Done()
    for path in parts(folder):
        try:
            part = open_part(path)
            with part:
                found = read_id(path, part)
                if found.fingerprint != model.fingerprint:
                    continue
                columns = part.read(["path", "bytes", "mtime"]).to_pydict()
        except FileNotFoundError:
            continue
        except (OSError, PartError) as error:
            logger.warning("%s; what it holds is tagged again, remove it", error)
            continue
        counts = found.embeds or not model.embeds
        for name, size, mtime in zip(columns["path"], columns["bytes"], columns["mtime"], strict=True):
            done.add(name, State(size, mtime) if counts else _OF_NO_USE)
    return done


def remove_replaced(folder: Path, model: ModelId, again: set[str]) -> int:
    """Of recordings that have more than one row of a model let the newest stay; return how many rows went.

    Raises:
        OSError: a part cannot be written.
    """
    if not again:
        return 0
    import pyarrow as pa

    seen: set[str] = set()
    removed = 0
    for path in reversed(parts(folder)):
        try:
            with open_part(path) as part:
                if read_id(path, part).fingerprint != model.fingerprint:
                    continue
                stays = []
                for name in part.read(["path"])["path"].to_pylist():
                    stays.append(name not in seen)
                    if name in again:
                        seen.add(name)
                if all(stays):
                    continue
                table = part.read().filter(pa.array(stays))
        except (FileNotFoundError, PartError):
            continue
        removed += stays.count(False)
        if table.num_rows:
            write_table(path, table)
        else:
            with suppress(FileNotFoundError):
                path.unlink()
    return removed


def _mark(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
