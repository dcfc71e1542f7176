"""Windows of a cache as batches of tensors: from the disk on a CPU, from its own memory on a GPU."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from streamtag.errors import ConfigError
from train.data.cache import Cache, Rows
from train.data.make import PLAIN
from train.plain import counts, rarity

_PLAIN_SHARE = 0.6
_RARITY = 0.7
"""Power of the rarity of its labels by which a plain window is drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """A batch on its device, float32.

    Attributes:
        patches: log-mel [n, 96, 64].
        positive: [n, labels], 1 where a label is certainly there.
        counts: [n, labels], 0 where nobody can say.
        features: [n, d] that the teacher reads; d is 0 without one.
    """

    patches: Tensor
    positive: Tensor
    counts: Tensor
    features: Tensor


def batches(
    cache: Cache, size: int, seed: int, device: torch.device, *, skip: int = 0, rank: int = 0, world: int = 1
) -> Iterator[Batch]:
    """Yield shuffled batches for ever, the same ones for the same `seed` and kind of device.

    Args:
        cache: of the windows.
        size: windows in a batch.
        seed: of the order.
        device: where they are wanted.
        skip: batches that are passed over.
        rank: of this process.
        world: how many there are; each takes its share of the windows.

    Raises:
        ConfigError: there are too few windows for one batch.
    """
    if device.type == "cuda":
        yield from _resident(cache, size, seed, device, skip, rank, world)
        return
    for rows in cache.batches(size, seed, skip=skip, rank=rank, world=world):
        yield _tensors(rows, device)


def teaching_batches(cache: Cache, size: int, seed: int, device: torch.device) -> Iterator[Batch]:
    """Yield for ever what a teacher's head is fitted on: plain windows more often than made ones, rare labels too.

    What people tag is mostly one sound, and few made windows are. Without plain windows the batches are those of
    `batches`.

    Args:
        cache: of the windows.
        size: windows in a batch.
        seed: of the order.
        device: where they are wanted.

    Raises:
        ConfigError: there are too few made windows for one batch.
    """
    numbers = cache.numbers()
    shards = [cache.read(number) for number in numbers if number >= PLAIN]
    if not shards:
        yield from batches(cache, size, seed, device)
        return
    patches, positive, unsure, features = (
        torch.from_numpy(np.concatenate([getattr(rows, name) for rows in shards])).to(device)
        for name in ("patches", "positive", "unsure", "features")
    )
    positive = positive.float()
    drawn, counted = rarity(positive).pow(_RARITY).cpu(), counts(positive, unsure)
    plain = round(_PLAIN_SHARE * size)
    order = torch.Generator().manual_seed(seed)
    made = cache.only([number for number in numbers if number < PLAIN])
    for batch in batches(made, size - plain, seed, device):
        rows = torch.multinomial(drawn, plain, replacement=True, generator=order).to(device)
        yield Batch(
            torch.cat([batch.patches, patches[rows].float()]),
            torch.cat([batch.positive, positive[rows]]),
            torch.cat([batch.counts, counted[rows]]),
            torch.cat([batch.features, features[rows].float()]),
        )


def _tensors(rows: Rows, device: torch.device) -> Batch:
    return Batch(
        torch.from_numpy(np.asarray(rows.patches)).to(device).float(),
        torch.from_numpy(rows.positive).to(device).float(),
        torch.from_numpy(~rows.unsure).to(device).float(),
        torch.from_numpy(np.asarray(rows.features)).to(device).float(),
    )


def _resident(
    cache: Cache, size: int, seed: int, device: torch.device, skip: int, rank: int, world: int
) -> Iterator[Batch]:
    """Yield batches of windows that are all in the GPU's memory: reading them would take longer than a step does."""
    shards = [cache.read(number) for number in cache.numbers()[rank::world]]

    def held(name: str) -> Tensor:
        return torch.cat([torch.from_numpy(np.ascontiguousarray(getattr(rows, name))).to(device) for rows in shards])

    patches, positive, unsure, features = (held(name) for name in ("patches", "positive", "unsure", "features"))
    whole = len(patches) // size
    if not whole:
        raise ConfigError(f"cache {cache.folder} has fewer windows than one batch of {size}: make more")
    epoch, skip = divmod(skip, whole)
    while True:
        order = torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(len(patches))).to(device)
        for at in range(skip, whole):
            chosen = order[at * size : (at + 1) * size]
            yield Batch(
                patches[chosen].float(), positive[chosen].float(), (~unsure[chosen]).float(), features[chosen].float()
            )
        epoch, skip = epoch + 1, 0
