"""Log-mel windows on disk: memory-mapped shards that know what made them and refuse to serve anything else.

A cache is a folder: `cache.json` (front end, labels, what made it) and `shard-00000/` ... with `patches.npy` float16
[n, 96, 64], `positive.npy` and `unsure.npy` uint8 bits [n, labels / 8] and, with a teacher, `features.npy` float16
[n, d]. A shard appears whole or not at all, so that an interrupted run goes on where it stopped.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtag.atomic_file import write_whole
from streamtag.audio.frontend import parameters
from streamtag.errors import ConfigError

_ABOUT = "cache.json"
_WHOLE = "whole"
_GROUP = 8
"""Shards that are in memory together while their windows are shuffled."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Windows with what is known of them.

    Attributes:
        patches: float16 [n, 96, 64].
        positive: bool [n, labels], certainly there.
        unsure: bool [n, labels], nobody can say.
        features: float16 [n, d] that the teacher reads; d is 0 without one.
    """

    patches: NDArray[np.float16]
    positive: NDArray[np.bool_]
    unsure: NDArray[np.bool_]
    features: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.patches)


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of shards."""

    folder: Path
    labels: int
    columns: tuple[int, ...] | None = None
    """The labels that are given out; all without it."""
    shards: tuple[int, ...] | None = None
    """The shards that are given out; all without it."""

    def only(self, shards: Sequence[int]) -> "Cache":
        """Return the windows of some of the shards alone."""
        return replace(self, shards=tuple(shards))

    def narrowed(self, columns: Sequence[int]) -> "Cache":
        """Return the same windows with some of the labels alone."""
        return replace(self, columns=tuple(columns))

    @classmethod
    def open(cls, folder: Path, labels: tuple[str, ...], made_by: dict[str, Any]) -> "Cache":
        """Open or start a cache.

        Args:
            folder: made when absent.
            labels: label names in order.
            made_by: settings that shape the windows, JSON values.

        Raises:
            ConfigError: the folder holds windows of another front end, of other labels or made by other settings.
        """
        about = {"frontend": parameters(), "labels": list(labels), "made_by": made_by}
        path = folder / _ABOUT
        if path.is_file():
            there = json.loads(path.read_text(encoding="utf-8"))
            for key, what in (("frontend", "another front end"), ("labels", "other labels"), ("made_by", "other data")):
                if there.get(key) != json.loads(json.dumps(about[key])):
                    raise ConfigError(f"cache {folder} was made with {what}: delete it, or name another in [cache]")
        else:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(about, indent=1).encode())
        return cls(folder, len(labels))

    @property
    def whole(self) -> bool:
        """Whether every window that is wanted was made."""
        return (self.folder / _WHOLE).is_file()

    def finish(self) -> None:
        """Note that every window that is wanted was made."""
        (self.folder / _WHOLE).touch()

    def shard(self, number: int) -> Path:
        """Return a shard's folder."""
        return self.folder / f"shard-{number:05d}"

    def numbers(self) -> list[int]:
        """Return the numbers of the shards that are there."""
        there = sorted(int(path.name[6:]) for path in self.folder.glob("shard-?????"))
        return there if self.shards is None else [number for number in there if number in self.shards]

    def write(self, number: int, rows: Rows) -> None:
        """Write a shard; it appears when it is whole."""
        part = self.folder / f"part-{number:05d}"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        np.save(part / "patches.npy", rows.patches)
        np.save(part / "positive.npy", np.packbits(rows.positive, axis=1))
        np.save(part / "unsure.npy", np.packbits(rows.unsure, axis=1))
        np.save(part / "features.npy", rows.features)
        part.replace(self.shard(number))

    def read(self, number: int) -> Rows:
        """Return a shard; its patches and embeddings stay on disk until touched."""
        folder = self.shard(number)

        def bits(name: str) -> NDArray[np.bool_]:
            every = np.unpackbits(np.load(folder / name), axis=1, count=self.labels).astype(np.bool_)
            return every if self.columns is None else every[:, self.columns]

        return Rows(
            np.load(folder / "patches.npy", mmap_mode="r"),
            bits("positive.npy"),
            bits("unsure.npy"),
            np.load(folder / "features.npy", mmap_mode="r"),
        )

    def batches(self, size: int, seed: int, *, skip: int = 0, rank: int = 0, world: int = 1) -> Iterator[Rows]:
        """Yield shuffled batches for ever, the same ones for the same `seed`.

        Shards are shuffled in each pass and a few of them at a time are in memory, their windows shuffled together.
        With several processes each takes its share of the shards; `skip` batches are passed over without reading.

        Raises:
            ConfigError: there are too few windows for one batch.
        """
        numbers = self.numbers()[rank::world]
        sizes = {number: len(np.load(self.shard(number) / "positive.npy", mmap_mode="r")) for number in numbers}
        if sum(sizes.values()) < size:
            raise ConfigError(f"cache {self.folder} has fewer windows than one batch of {size}: make more")
        epoch = 0
        while True:
            rng = np.random.default_rng([seed, epoch])
            order = [int(number) for number in rng.permutation(numbers)]
            for first in range(0, len(order), _GROUP):
                group = order[first : first + _GROUP]
                shuffled = rng.permutation(sum(sizes[number] for number in group))
                whole = len(shuffled) // size
                if skip < whole:
                    rows = self._together(group)
                    for batch in shuffled[skip * size : whole * size].reshape(-1, size):
                        yield Rows(rows.patches[batch], rows.positive[batch], rows.unsure[batch], rows.features[batch])
                skip = max(0, skip - whole)
            epoch += 1

    def _together(self, group: list[int]) -> Rows:
        shards = [self.read(number) for number in group]
        return Rows(
            np.concatenate([shard.patches for shard in shards]),
            np.concatenate([shard.positive for shard in shards]),
            np.concatenate([shard.unsure for shard in shards]),
            np.concatenate([shard.features for shard in shards]),
        )
