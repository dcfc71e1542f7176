import shutil
import sqlite3
from collections import namedtuple
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from streamtag.history.clips import Clip
from streamtag.history.embeddings import Embedding
from streamtag.history.layout import clip_folder
from streamtag.history.lock import HeldError
from streamtag.history.reader import HistoryReader
from streamtag.history.store import Begin, DiskFullError, End, Store
from streamtag.settings import HistorySettings
from tests.history.conftest import NOW, Clock, rows

DAY = 86400.0


def begin(token: int, time: float = NOW, label: str = "Dog") -> Begin:
    return Begin(token, "yard", label, time, token * 0.96, 0.7)


SMALL = HistorySettings(keep_days=1.0, max_megabytes=1.0, clips=True)


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[Store]:
    with closing(Store(path, SMALL, clock=clock)) as store:
        yield store


def prune(store: Store) -> None:
    """Prune now, however short a while ago it was done last."""
    store._pruned = 0.0
    store.prune()


def kill(store: Store) -> None:
    """Leave a store as a service leaves it that is killed."""
    store._base.close()
    store._lock.free()


def clips(path: Path) -> set[str]:
    return {file.name for file in clip_folder(path).iterdir()}


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


def test_events_older_than_the_days_kept_are_removed_with_their_clips(store: Store, path: Path, clock: Clock) -> None:
    store.write([begin(0, NOW)])
    store.keep(clip(0))
    clock.go_on(0.5 * DAY)
    store.write([begin(1, NOW + 0.5 * DAY)])
    store.keep(clip(1))
    clock.go_on(0.6 * DAY)
    prune(store)
    (left,) = HistoryReader(path).search()
    assert left.time == NOW + 0.5 * DAY
    assert [HistoryReader(path).clip(left.id)] == list(clip_folder(path).iterdir())


def test_a_clock_that_is_ten_years_ahead_for_a_while_deletes_nothing(store: Store, path: Path, clock: Clock) -> None:
    clock.go_on(DAY)
    for jump in (3650 * DAY, -3650 * DAY):
        store.write([begin(rows(path), clock.wall)])
        clock.wall += jump
        for _ in range(10):
            clock.go_on(60.0)
            prune(store)
    store.write([begin(2, clock.wall)])
    assert rows(path) == 3


def test_events_of_a_clock_that_was_wrong_are_kept_as_long_as_others(store: Store, path: Path, clock: Clock) -> None:
    clock.wall = 0.0  # a machine without a battery begins in 1970
    prune(store)
    store.write([begin(0, clock.wall)])
    clock.go_on(60.0)
    clock.wall = NOW
    prune(store)
    store.write([begin(1, clock.wall)])
    clock.wall += 3650 * DAY
    prune(store)
    store.write([begin(2, clock.wall)])
    clock.wall -= 3650 * DAY
    prune(store)
    for _ in range(9):
        clock.go_on(0.1 * DAY)
        prune(store)
    assert rows(path) == 3
    clock.go_on(0.2 * DAY)
    prune(store)
    assert rows(path) == 0  # those of the future too


def test_a_service_that_begins_with_a_clock_ten_years_ahead_deletes_nothing(path: Path, clock: Clock) -> None:
    with closing(Store(path, SMALL, clock=clock)) as store:
        store.write([begin(0)])
    ahead = Clock(NOW + 3650 * DAY)
    with closing(Store(path, SMALL, clock=ahead)) as store:
        for _ in range(60):
            ahead.go_on(60.0)
            prune(store)
    assert rows(path) == 1


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
    prune(store)
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


def test_clips_do_not_come_and_go_with_each_byte_of_room(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    free = [(256 << 20) + 200_000]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 0, free[0]))
    store.write([begin(0), begin(1), begin(2)])
    store.keep(clip(0))
    free[0] -= 200_000
    with pytest.raises(DiskFullError):
        store.keep(clip(1))
    free[0] += 200_000
    with pytest.raises(DiskFullError):
        store.keep(clip(1))
    free[0] += 40 << 20
    store.keep(clip(2))
    assert len(clips(path)) == 2


def test_a_clip_larger_than_what_may_be_kept_costs_no_event(store: Store, path: Path) -> None:
    store.write([begin(0), begin(1)])
    with pytest.raises(DiskFullError, match="max_megabytes"):
        store.keep(clip(0, 60.0))
    assert rows(path) == 2


def make_without_auto_vacuum(path: Path, clock: Clock, events: int) -> None:
    with closing(Store(path, SMALL, clock=clock)) as store:
        store.write([begin(token, NOW + token) for token in range(events)])
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA auto_vacuum = NONE")
        base.execute("PRAGMA journal_mode = DELETE")
        base.execute("VACUUM")
        assert base.execute("PRAGMA auto_vacuum").fetchone()[0] == 0


def test_a_history_that_gives_no_room_back_keeps_what_fits(path: Path, clock: Clock) -> None:
    make_without_auto_vacuum(path, clock, 20_000)
    with closing(Store(path, SMALL, clock=clock)) as store:
        prune(store)
        assert 500_000 < store.size() <= 1_000_000
        assert 1000 < rows(path) < 20_000
    assert path.stat().st_size <= 1_000_000  # from now on it gives room back


def test_events_of_a_service_that_was_killed_are_no_longer_on(path: Path) -> None:
    settings = HistorySettings()
    killed = Store(path, settings)
    killed.write([begin(0)])
    assert HistoryReader(path).search()[0].is_on
    kill(killed)
    with closing(Store(path, settings)):
        (found,) = HistoryReader(path).search()
    assert not found.is_on
    assert found.offset is None


def test_a_second_service_is_refused_and_the_firsts_events_stay_on(store: Store, path: Path) -> None:
    store.write([begin(0)])
    link = path.with_name("link.sqlite")
    link.symlink_to(path)
    for name in (path, link):
        with pytest.raises(HeldError, match=r"another service \(process \d+\) keeps it; give each"):
            Store(name, HistorySettings(keep_days=0.001))
    assert HistoryReader(path).search()[0].is_on


def test_a_history_is_free_once_it_is_closed(path: Path) -> None:
    for _ in range(3):
        Store(path, HistorySettings()).close()


def test_what_lies_in_the_folder_and_is_nobodys_stays(store: Store, path: Path, clock: Clock) -> None:
    own = clip_folder(path) / "holiday.wav"
    own.parent.mkdir()
    own.write_bytes(b"a recording of the user's own")
    numbered = own.with_name("1.wav")
    numbered.write_bytes(b"of a history that was moved away")
    store.write([begin(0)])
    store.keep(clip(0))
    store.close()
    with closing(Store(path, SMALL, clock=clock)) as again:
        clock.go_on(3 * DAY)
        prune(again)
        assert rows(path) == 0
    path.rename(path.with_name("damaged.sqlite"))
    Store(path, SMALL).close()
    assert clips(path) == {"holiday.wav", "1.wav"}


def test_all_clips_stay_when_a_damaged_file_is_moved_away(store: Store, path: Path) -> None:
    store.write([begin(0), begin(1)])
    store.keep(clip(0))
    store.keep(clip(1))
    before = clips(path)
    store.close()
    path.rename(path.with_name("damaged.sqlite"))
    with closing(Store(path, SMALL)) as fresh:
        fresh.write([begin(0)])
        fresh.keep(clip(0))
        assert len(clips(path)) == 3
        assert clips(path) > before


def test_a_clip_that_a_killed_service_began_is_removed(path: Path) -> None:
    killed = Store(path, SMALL)
    killed.write([begin(0), begin(1)])
    killed.keep(clip(1))
    (whole,) = clips(path)
    killed._name_clip(1, "begun.wav", 0)
    (clip_folder(path) / "begun.wav").write_bytes(b"RIFF")
    assert HistoryReader(path).clip(1) is None
    kill(killed)
    Store(path, SMALL).close()
    assert clips(path) == {whole}


def test_clips_of_events_that_are_gone_are_removed_even_if_the_service_was_killed_between(path: Path) -> None:
    killed = Store(path, SMALL)
    killed.write([begin(0)])
    killed.keep(clip(0))
    with killed._base:
        killed._base.execute("INSERT INTO cleared SELECT clip FROM events")
        killed._base.execute("DELETE FROM events")
    kill(killed)
    Store(path, SMALL).close()
    assert clips(path) == set()


@pytest.mark.parametrize("name", ["../porch.wav", "/etc/passwd", "..", ".", "", "a\0b"])
def test_a_doctored_history_leads_nowhere_else(path: Path, name: str) -> None:
    other = path.with_name("porch.wav")
    other.write_bytes(b"somebody's")
    with closing(Store(path, SMALL)) as store:
        store.write([begin(0)])
        store._name_clip(1, name, 5)
        store._base.execute("INSERT INTO cleared VALUES (?)", (name,))
        store._base.commit()
        assert HistoryReader(path).clip(1) is None
    Store(path, SMALL).close()
    assert other.exists()


def test_only_the_owner_may_read_a_history_and_its_clips(store: Store, path: Path) -> None:
    store.write([begin(0)])
    store.keep(clip(0))
    files = [*path.parent.glob("history.sqlite*"), clip_folder(path), *clip_folder(path).iterdir()]
    assert len(files) == 6
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)


def test_a_batch_is_written_whole_or_not_at_all(store: Store, path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        store.write([begin(0), begin(1, label="\ud800")])
    assert rows(path) == 0


def test_a_batch_that_is_written_again_is_there_once(store: Store, path: Path) -> None:
    for _ in range(2):
        store.write([begin(0), End(0, 2.88, 0.9)])
    assert rows(path) == 1


def embedding(index: int, token: int | None = None, embedder: str = "this model") -> Embedding:
    vector = np.random.default_rng(index).normal(size=64).astype(np.float32)
    return Embedding("yard", NOW + index, embedder, vector, token)


def test_embeddings_are_found_again_by_model_and_time_and_with_their_event(store: Store, path: Path) -> None:
    store.write([begin(7)])
    store.write_embeddings([embedding(0), embedding(1, token=7), embedding(2), embedding(3, embedder="another")])
    found = HistoryReader(path).embeddings("this model", stream="yard", since=NOW + 1)
    (event,) = HistoryReader(path).search()
    assert (found.streams, found.times.tolist()) == (["yard", "yard"], [NOW + 1, NOW + 2])
    assert found.events.tolist() == [event.id, 0]
    for row, index in ((0, 1), (1, 2)):
        exact = embedding(index).vector
        np.testing.assert_allclose(found.rows(slice(None))[row], exact, atol=np.abs(exact).max() / 250)
    assert HistoryReader(path).embeddings("this model", event=event.id).times.tolist() == [NOW + 1]


def test_an_event_takes_its_embedding_along(store: Store, path: Path, clock: Clock) -> None:
    store.write([begin(0)])
    store.write_embeddings([embedding(0, token=0), embedding(1)])
    clock.go_on(DAY - 60)
    store.write_embeddings([embedding(2)])
    clock.go_on(120)
    prune(store)
    assert HistoryReader(path).embeddings("this model").times.tolist() == [NOW + 2]


def test_embeddings_take_half_of_the_room_at_most_and_the_oldest_go_first(store: Store, path: Path) -> None:
    store.write([begin(0)])
    store.write_embeddings([embedding(index) for index in range(4000)])
    prune(store)
    times = HistoryReader(path).embeddings("this model").times
    assert store.size() < 600_000
    assert 2000 < len(times) < 4000
    assert times[-1] == NOW + 3999
    assert rows(path) == 1


def test_an_embedding_that_is_no_numbers_is_left_out(store: Store, path: Path) -> None:
    bad = Embedding("yard", NOW, "this model", np.full(64, np.nan, np.float32))
    store.write_embeddings([bad, embedding(1)])
    assert HistoryReader(path).embeddings("this model").times.tolist() == [NOW + 1]
