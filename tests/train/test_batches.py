from pathlib import Path

import numpy as np
import pytest
import torch

from streamtag.errors import ConfigError
from train.batches import batches
from train.data.cache import Cache, Rows

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    rng = np.random.default_rng(0)
    found = Cache.open(tmp_path_factory.mktemp("batches"), ("Dog", "Rain", "Siren"), {})
    for number in (0, 1, 2, 50_000):  # the last one of plain windows
        positive = rng.random((20, 3)) < 0.4
        unsure = (rng.random((20, 3)) < 0.4) & ~positive
        patches = rng.standard_normal((20, 96, 64)).astype(np.float16)
        found.write(number, Rows(patches, positive, unsure, rng.standard_normal((20, 5)).astype(np.float16)))
    return found


def test_a_batch_is_float32_and_counts_what_is_sure(cache: Cache) -> None:
    batch = next(batches(cache, 16, 1, CPU))
    assert batch.patches.shape == (16, 96, 64)
    assert batch.features.shape == (16, 5)
    assert {tensor.dtype for tensor in (batch.patches, batch.positive, batch.counts, batch.features)} == {torch.float32}
    assert (batch.counts[batch.positive > 0] == 1).all()
    assert 0 < batch.counts.mean() < 1


@pytest.mark.parametrize("skip", [0, 1, 4, 5, 6, 23])
def test_batches_on_a_cpu_go_on_where_a_run_stopped(cache: Cache, skip: int) -> None:
    whole = batches(cache, 16, 7, CPU)
    for _ in range(skip):
        next(whole)
    later = batches(cache, 16, 7, CPU, skip=skip)
    for _ in range(6):
        one, other = next(whole), next(later)
        assert torch.equal(one.patches, other.patches)
        assert torch.equal(one.positive, other.positive)
        assert torch.equal(one.features, other.features)


def test_plain_windows_are_among_the_batches(cache: Cache, tmp_path: Path) -> None:
    plain = {float(row[0, 0]) for row in cache.read(50_000).patches}
    rows = batches(cache, 16, 3, CPU)
    assert {float(row[0, 0]) for _ in range(5) for row in next(rows).patches} & plain


def test_too_few_windows_for_a_batch_are_one_line(cache: Cache) -> None:
    with pytest.raises(ConfigError, match="fewer windows than one batch of 1000: make more"):
        next(batches(cache, 1000, 1, CPU))
