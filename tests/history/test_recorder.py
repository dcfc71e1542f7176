import logging
import sqlite3
import threading
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from streamtag.history import History, HistoryReader
from streamtag.history.store import Store
from streamtag.settings import HistorySettings
from tests.history.conftest import NOW, patch, rows

Keep = Callable[..., History]


class Said(logging.Handler):
    """Waits for a line of the log."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self.event = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self._text in record.getMessage():
            self.event.set()

    def wait(self) -> None:
        assert self.event.wait(20), f"the log never said {self._text!r}"


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
    history.begin("yard", 0, "Dog", 4.8, 0.8, heard)
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
            history.begin("yard", 0, "Dog", 4.8, 0.8, loud)
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
    history.begin("yard", 0, "Dog", 0.0, 0.8, heard)
    history.leave("yard")
    history.stop(5.0)
    reader = HistoryReader(path)
    with wave.open(str(reader.clip(reader.search()[0].id))) as file:
        assert file.getnframes() == 15360


def test_nothing_is_kept_of_a_visitors_microphone(keep: Keep, path: Path) -> None:
    history = keep(clips=True)
    heard = patch(0)
    history.patch("browser-1", heard)
    history.begin("browser-1", 0, "Speech", 0.0, 0.9, heard)
    history.end("browser-1", 0, 0.96, 0.9)
    history.leave("browser-1")
    history.stop(5.0)
    assert rows(path) == 0


def test_streams_that_come_again_use_their_numbers_again(keep: Keep, path: Path) -> None:
    history = keep()
    for _ in range(2):
        history.begin("pushed", 0, "Dog", 0.0, 0.8, patch(0))
        history.end("pushed", 0, 0.96, 0.8)
    history.stop(5.0)
    assert rows(path) == 2


def test_events_wait_for_a_locked_file(keep: Keep, path: Path, said: Callable[[str], Said]) -> None:
    trouble, better = said("cannot be written for now"), said("is written again")
    Store(path, HistorySettings()).close()
    with sqlite3.connect(path) as base:
        base.execute("BEGIN IMMEDIATE")
        history = keep()
        history.begin("yard", 0, "Dog", 0.0, 0.8, patch(0))
        trouble.wait()
    better.wait()
    history.stop(5.0)
    assert rows(path) == 1
    assert history.dropped == 0


def test_a_damaged_file_is_one_line_and_the_service_goes_on(
    keep: Keep, path: Path, said: Callable[[str], Said]
) -> None:
    path.write_bytes(b"This is no database. " * 1000)
    line = said("is damaged or is no history; move it away")
    history = keep()
    line.wait()
    history.begin("yard", 0, "Dog", 0.0, 0.8, patch(0))
    history.stop(5.0)
    assert path.read_bytes().startswith(b"This is no database.")


def test_a_full_disk_drops_the_oldest_events_and_nothing_waits(
    keep: Keep, path: Path, said: Callable[[str], Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(store: Store) -> None:
        store._base.execute("PRAGMA max_page_count = 1")  # SQLite's own "database or disk is full"

    prune = Store.prune
    monkeypatch.setattr(Store, "prune", lambda self: (prune(self), full(self)))
    line = said("disk is full")
    history = keep()
    for event in range(12_000):
        history.begin("yard", event, "Dog", 0.0, 0.8, patch(0))
    line.wait()
    assert history.dropped == 2000


def test_a_clip_that_cannot_be_written_leaves_the_event(keep: Keep, path: Path, said: Callable[[str], Said]) -> None:
    (path.parent / "history-clips").write_text("in the way")
    line = said("no clips are kept for now")
    history = keep(clips=True, clip_seconds=1.0)
    heard = patch(0)
    history.patch("yard", heard)
    history.begin("yard", 0, "Dog", 0.0, 0.8, heard)
    history.leave("yard")
    line.wait()
    history.stop(5.0)
    assert rows(path) == 1
