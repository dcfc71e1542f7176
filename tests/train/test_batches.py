from pathlib import Path

import numpy as np
import pytest
import torch

from streamtag.errors import ConfigError
from train.batches import batches, teaching_batches
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


def test_a_teacher_learns_mostly_from_plain_windows_and_from_rare_labels_more_often(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path, ("Dog", "Rain"), {})
    positive = np.zeros((100, 2), np.bool_)
    positive[:90, 0] = positive[90:95, 1] = True  # the last five are of neither
    for number in (0, 1, 50_000):
        patches = np.full((100, 96, 64), number, np.float16)
        unsure = np.zeros((100, 2), np.bool_)
        unsure[:, 1] = ~positive[:, 1]
        cache.write(number, Rows(patches, positive, unsure, np.arange(500, dtype=np.float16).reshape(100, 5)))
    rows = teaching_batches(cache, 50, 1, CPU)
    drawn = [next(rows) for _ in range(200)]
    plain = torch.cat([batch.patches[:, 0, 0] > 1 for batch in drawn])
    assert plain.float().mean() == 0.6
    known, counted = (torch.cat([getattr(batch, name) for batch in drawn])[plain] for name in ("positive", "counts"))
    dogs, rains, others = known[:, 0].mean(), known[:, 1].mean(), (known.sum(1) == 0).float().mean()
    assert dogs + rains + others == pytest.approx(1.0)
    assert 0.15 < rains < 0.45, "five of a hundred windows, weighed by rarity"
    assert (counted[known.sum(1) == 0][:, 1] == 0).all(), "where no label is certain, an unsure one says nothing"
    assert (counted[known[:, 0] > 0][:, 1] == 0.5).all(), "a recording of another name is half a no"
    again = teaching_batches(cache, 50, 1, CPU)
    assert all(torch.equal(next(again).features, batch.features) for batch in drawn[:5])


def test_a_teacher_without_plain_windows_learns_from_made_ones(cache: Cache) -> None:
    made = cache.only([0, 1, 2])
    assert torch.equal(next(teaching_batches(made, 16, 3, CPU)).patches, next(batches(made, 16, 3, CPU)).patches)
