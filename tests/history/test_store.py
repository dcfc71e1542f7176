import shutil
import sqlite3
from collections import namedtuple
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from streamtag.history.clips import Clip
from streamtag.history.layout import clip_folder, clip_path
from streamtag.history.reader import HistoryReader
from streamtag.history.store import Begin, DiskFullError, End, Store
from streamtag.settings import HistorySettings
from tests.history.conftest import NOW, rows

DAY = 86400.0


def begin(token: int, time: float = NOW, label: str = "Dog") -> Begin:
    return Begin(token, "yard", label, time, token * 0.96, 0.7)


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(Store(path, HistorySettings(keep_days=1.0, max_megabytes=1.0, clips=True))) as store:
        yield store


def clip(token: int, seconds: float = 4.0) -> Clip:
    return Clip(token, np.zeros(round(seconds * 16000), np.int16))


def test_an_event_is_found_with_its_end(store: Store, path: Path) -> None:
    store.write([begin(0), End(0, 2.88, 0.9)])
    (found,) = HistoryReader(path).search()
    assert (found.label, found.stream, found.time, found.onset, found.offset, found.peak) == (
        "Dog", "yard", NOW, 0.0, 2.88, 0.9,
    )  # fmt: skip
    assert not found.is_on
    assert not found.has_clip


def test_events_older_than_the_days_kept_are_removed_with_their_clips(store: Store, path: Path) -> None:
    store.write([begin(0, NOW - 1.5 * DAY), begin(1, NOW - 0.5 * DAY)])
    store.keep(clip(0))
    store.keep(clip(1))
    store.prune(NOW)
    (left,) = HistoryReader(path).search()
    assert left.time == NOW - 0.5 * DAY
    assert [file.name for file in clip_folder(path).iterdir()] == [clip_path(path, left.id).name]


def test_the_oldest_go_when_clips_take_more_than_the_megabytes_kept(store: Store, path: Path) -> None:
    for token in range(20):  # 20 x 128 kB
        store.write([begin(token, NOW + token)])
        store.keep(clip(token))
    assert store.size() <= 1_000_000
    left = HistoryReader(path).search()
    assert [event.time for event in left] == [NOW + token for token in range(19, 19 - len(left), -1)]
    assert len(list(clip_folder(path).iterdir())) == len(left) < 8


def test_the_oldest_go_when_events_alone_take_more_than_the_megabytes_kept(store: Store, path: Path) -> None:
    store.write([begin(token, NOW + token) for token in range(20_000)])
    assert store.size() > 1_000_000
    store.prune(NOW)
    assert store.size() <= 1_000_000
    assert 1000 < rows(path) < 20_000
    assert HistoryReader(path).search(limit=1)[0].time == NOW + 19_999


def test_a_disk_with_little_room_takes_no_clip_but_takes_events(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 1000, 1000))
    store.write([begin(0)])
    with pytest.raises(DiskFullError, match="MB are free"):
        store.keep(clip(0))
    assert not HistoryReader(path).search()[0].has_clip


def test_events_of_a_service_that_was_killed_are_no_longer_on(path: Path) -> None:
    settings = HistorySettings()
    killed = Store(path, settings)
    killed.write([begin(0)])
    assert HistoryReader(path).search()[0].is_on
    with closing(Store(path, settings)):
        (found,) = HistoryReader(path).search()
    assert not found.is_on
    assert found.offset is None


def test_clips_without_an_event_are_cleared_away_at_the_start(path: Path) -> None:
    lost = clip_path(path, 77)
    lost.parent.mkdir()
    lost.write_bytes(b"left by a killed service")
    with closing(Store(path, HistorySettings())):
        assert not lost.exists()


def test_a_batch_is_written_whole_or_not_at_all(store: Store, path: Path) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        store.write([begin(0), begin(0)])
    assert rows(path) == 0
