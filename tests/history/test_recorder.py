import logging
import resource
import sqlite3
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from streamtag.history import History, HistoryReader
from streamtag.history.layout import clip_folder
from streamtag.history.store import Store
from streamtag.settings import HistorySettings
from tests.history.conftest import NOW, patch, rows

Keep = Callable[..., History]


def until(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    return true()


class Said(logging.Handler):
    """Waits for a line of the log."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self.lines: list[str] = []
        self.event = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self._text in record.getMessage():
            self.lines.append(record.getMessage())
            self.event.set()

    def wait(self) -> None:
        assert self.event.wait(60), f"the log never said {self._text!r}"


@pytest.fixture
def said(request: pytest.FixtureRequest) -> Callable[[str], Said]:
    def listen(text: str) -> Said:
        handler = Said(text)
        log = logging.getLogger("streamtag.history")
        log.setLevel(logging.INFO)
        log.addHandler(handler)
        request.addfinalizer(lambda: log.removeHandler(handler))
        return handler

    return listen


def test_an_onset_is_kept_at_the_time_it_was_heard(keep: Keep, path: Path) -> None:
    history = keep()
    heard = patch(5)
    history.patch("yard", heard)
    history.begin("yard", 0, "Dog", 4.8, 0.8, NOW + 4.8)
    history.end("yard", 0, 5.76, 0.8)
    history.stop(5.0)
    (found,) = HistoryReader(path).search()
    assert found.time == pytest.approx(NOW + 4.8)
    assert (found.onset, found.offset) == (4.8, 5.76)


def test_a_clip_has_a_quarter_before_the_onset_and_the_rest_behind(keep: Keep, path: Path) -> None:
    history = keep(clips=True, clip_seconds=4.0)
    for index in range(12):
        loud = patch(index, 0.5 if index >= 5 else 0.01)
        history.patch("yard", loud)
        if index == 5:
            history.begin("yard", 0, "Dog", 4.8, 0.8, NOW + 4.8)
    history.stop(5.0)
    reader = HistoryReader(path)
    (found,) = reader.search()
    assert found.has_clip
    with wave.open(str(reader.clip(found.id))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (16000, 1, 64000)
        samples = memoryview(file.readframes(64000)).cast("h")
    assert samples[15_999] == 328
    assert samples[16_000] == 16384


def test_a_clip_of_a_stream_that_ends_is_as_long_as_what_was_heard(keep: Keep, path: Path) -> None:
    history = keep(clips=True, clip_seconds=4.0)
    heard = patch(0)
    history.patch("yard", heard)
    history.begin("yard", 0, "Dog", 0.0, 0.8, NOW)
    history.leave("yard")
    history.stop(5.0)
    reader = HistoryReader(path)
    with wave.open(str(reader.clip(reader.search()[0].id))) as file:
        assert file.getnframes() == 15360


def test_streams_that_come_again_use_their_numbers_again(keep: Keep, path: Path) -> None:
    history = keep()
    for _ in range(2):
        history.begin("pushed", 0, "Dog", 0.0, 0.8, NOW)
        history.end("pushed", 0, 0.96, 0.8)
    history.stop(5.0)
    assert rows(path) == 2


def test_events_wait_for_a_locked_file(keep: Keep, path: Path, said: Callable[[str], Said]) -> None:
    trouble, better = said("cannot be written for now"), said("is written again")
    Store(path, HistorySettings()).close()
    with closing(sqlite3.connect(path)) as base:
        base.execute("BEGIN IMMEDIATE")
        history = keep(sure_seconds=0.0, lock_seconds=0.1)
        history.begin("yard", 0, "Dog", 0.0, 0.8, NOW)
        trouble.wait()
    better.wait()
    history.stop(5.0)
    assert rows(path) == 1
    assert history.dropped == 0


def test_a_damaged_file_is_one_line_and_a_history_begins_when_it_is_moved_away(
    keep: Keep, path: Path, said: Callable[[str], Said]
) -> None:
    path.write_bytes(b"This is no database. " * 1000)
    line, better = said("is damaged or is no history; move it away"), said("another file is there")
    history = keep()
    line.wait()
    history.begin("yard", 0, "Dog", 0.0, 0.8, NOW)
    assert history.fares == ("refused", f"{path}: it is damaged or is no history; move it away", 1)
    away = path.rename(path.with_name("damaged.sqlite"))
    better.wait()
    history.begin("yard", 1, "Dog", 0.0, 0.8, NOW)
    history.stop(5.0)
    assert away.read_bytes().startswith(b"This is no database.")
    assert rows(path) == 1
    assert len(line.lines) == 1


def test_a_file_of_a_newer_version_is_one_line(keep: Keep, path: Path, said: Callable[[str], Said]) -> None:
    Store(path, HistorySettings()).close()
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA user_version = 99")
    line = said("no history is kept")
    history = keep()
    line.wait()
    history.stop(5.0)
    assert "a newer Streamtag wrote it" in line.lines[0]
    assert history.fares.state == "refused"


def test_a_second_service_says_so_in_one_line_and_takes_over_when_the_first_ends(
    keep: Keep, path: Path, said: Callable[[str], Said]
) -> None:
    line = said("cannot be written for now")
    first = keep()
    assert until(lambda: first._waiting._can_settle)
    first.begin("yard", 0, "Dog", 0.0, 0.8, NOW)
    assert until(lambda: rows(path) == 1)
    second = keep(keep_days=0.001)
    second.begin("porch", 0, "Cat", 0.0, 0.8, NOW)
    line.wait()
    assert "another service (process" in line.lines[0]
    assert second.fares.state == "waiting"
    assert HistoryReader(path).search()[0].is_on
    first.end("yard", 0, 0.96, 0.8)
    first.stop(5.0)
    assert until(lambda: rows(path) == 2)
    assert len(line.lines) == 1
    second.stop(5.0)
    assert second.dropped == first.dropped == 0


def test_what_was_settled_is_in_the_file(keep: Keep, path: Path) -> None:
    history = keep()
    assert until(lambda: history._waiting._can_settle)
    for event in range(50):
        history.begin("yard", event, "Dog", 0.0, 0.8, NOW)
        history._waiting._may_wait = 20.0
        history.settle(20.0)
        assert rows(path) == event + 1


def test_a_slow_disk_is_not_waited_for(keep: Keep, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, done = Store.write, threading.Event()
    monkeypatch.setattr(Store, "write", lambda *args: (done.wait(60), write(*args)))
    history = keep()
    assert until(lambda: history._waiting._can_settle)
    history.begin("yard", 0, "Dog", 0.0, 0.8, NOW)
    history.settle(0.01)
    begin = time.monotonic()
    for event in range(1, 50):
        history.begin("yard", event, "Dog", 0.0, 0.8, NOW)
        history.settle(20.0)
    assert time.monotonic() - begin < 15.0  # 20 s for a single one of them
    done.set()
    history.stop(5.0)
    assert rows(path) == 50


@pytest.fixture
def disk(path: Path) -> Iterator[Callable[[int | None], None]]:
    """Let no file of this process grow beyond so many bytes, as a full disk would; None: there is room again."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int | None) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before[0] if size is None else size, before[1]))

    yield limit
    limit(None)


def test_a_full_disk_costs_the_oldest_events_and_when_there_is_room_again_the_others_are_written(
    keep: Keep,
    path: Path,
    said: Callable[[str], Said],
    disk: Callable[[int | None], None],
) -> None:
    trouble, better = said("cannot be written for now"), said("is written again")
    history = keep(sure_seconds=0.0)
    history.begin("yard", 0, "Dog", 0.0, 0.8, NOW)
    assert until(lambda: path.is_file() and rows(path) == 1)
    disk(16 << 10)
    for event in range(1, 12_002):
        history.begin("yard", event, "Dog", 0.0, 0.8, NOW)
        if event == 1:
            trouble.wait()
    assert until(lambda: history.dropped == 2001)
    assert history.fares.state == "waiting"
    disk(None)
    better.wait()
    assert until(lambda: len(history._waiting) == 0)
    assert history.fares == ("kept", "", 2001)
    history.stop(5.0)
    assert rows(path) == 10_001


def test_a_clip_that_a_full_disk_cuts_is_not_there(
    keep: Keep, path: Path, said: Callable[[str], Said], disk: Callable[[int | None], None]
) -> None:
    line = said("no clips are kept for now")
    Store(path, HistorySettings()).close()
    disk(100_000)
    history = keep(clips=True, clip_seconds=4.0)
    for index in range(6):
        history.patch("yard", patch(index))
        if not index:
            history.begin("yard", 0, "Dog", 0.0, 0.8, NOW)
    line.wait()
    history.stop(5.0)
    disk(None)
    assert list(clip_folder(path).iterdir()) == []
    (found,) = HistoryReader(path).search()
    assert not found.has_clip


def test_a_history_that_is_removed_under_a_service_begins_anew(
    keep: Keep, path: Path, said: Callable[[str], Said]
) -> None:
    line = said("was moved or removed")
    history = keep()
    history.begin("yard", 0, "Dog", 0.0, 0.8, NOW)
    assert until(lambda: path.is_file() and rows(path) == 1)
    for file in path.parent.glob("history.sqlite*"):
        file.unlink()
    line.wait()
    history.begin("yard", 1, "Dog", 0.0, 0.8, NOW)
    history.stop(5.0)
    assert rows(path) == 1


def test_a_record_that_cannot_be_written_costs_itself_alone(keep: Keep, path: Path, caplog: Any) -> None:
    history = keep()
    for event in range(20):
        history.begin("yard", event, "\ud800" if event in (3, 4) else "Dog", 0.0, 0.8, NOW)
    history.stop(5.0)
    assert (rows(path), history.dropped) == (18, 2)
    assert history.restarts == 0


def test_a_thread_that_fails_begins_anew_and_keeps_what_waited(
    keep: Keep, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prune, rest = Store.prune, ["this once"]

    def prune_or_break(store: Store) -> None:
        if rest:
            raise ZeroDivisionError(rest.pop())
        prune(store)

    monkeypatch.setattr(Store, "prune", prune_or_break)
    history = keep()
    history.begin("yard", 0, "Dog", 0.0, 0.8, NOW)
    assert until(lambda: history.restarts == 1)
    history.end("yard", 0, 0.96, 0.8)  # of an event that began before
    history.stop(5.0)
    assert [event.offset for event in HistoryReader(path).search()] == [0.96]


def test_a_clip_that_cannot_be_written_leaves_the_event(keep: Keep, path: Path, said: Callable[[str], Said]) -> None:
    (path.parent / "history-clips").write_text("in the way")
    line = said("no clips are kept for now")
    history = keep(clips=True, clip_seconds=1.0)
    heard = patch(0)
    history.patch("yard", heard)
    history.begin("yard", 0, "Dog", 0.0, 0.8, NOW)
    history.leave("yard")
    line.wait()
    history.stop(5.0)
    assert rows(path) == 1
