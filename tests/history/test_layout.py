"""Histories of other versions."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from streamtag.errors import HistoryError
from streamtag.history import HistoryReader, Verdict, layout, read_verdicts, write_verdict
from streamtag.history.layout import VERSION, clip_folder
from streamtag.history.store import Begin, Store
from streamtag.settings import HistorySettings
from tests.history.conftest import NOW

SETTINGS = HistorySettings(keep_days=36500.0, clips=True)
# As the first version wrote it, word for word.
FIRST = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY,
    session TEXT NOT NULL,      -- of the service; its open events have no end when it is killed
    token INTEGER NOT NULL,     -- counts events within the session
    stream TEXT NOT NULL,
    label TEXT NOT NULL,
    time REAL NOT NULL,         -- Unix seconds of the onset
    onset REAL NOT NULL,        -- stream seconds
    offset REAL,                -- stream seconds; NULL while on
    peak REAL NOT NULL,
    clip_bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (session, token)
);
CREATE INDEX IF NOT EXISTS events_by_time ON events (time);
CREATE INDEX IF NOT EXISTS events_by_label ON events (label, time);
CREATE INDEX IF NOT EXISTS events_by_stream ON events (stream, time);
CREATE TABLE IF NOT EXISTS sessions (session TEXT PRIMARY KEY, running INTEGER NOT NULL);
"""


@pytest.fixture
def first(path: Path) -> Path:
    """A history of the first version, left by a service that was killed: two events, the first with a clip."""
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA auto_vacuum = INCREMENTAL")
        base.execute("PRAGMA journal_mode = WAL")
        base.executescript(FIRST)
        base.execute("INSERT INTO sessions VALUES ('0123abcd', 1)")
        insert = "INSERT INTO events VALUES (?, '0123abcd', ?, 'yard', 'Dog', ?, ?, ?, 0.75, ?)"
        base.execute(insert, (1, 0, NOW, 4.8, 5.76, 12))
        base.execute(insert, (2, 1, NOW + 9, 13.8, None, 0))
        base.commit()
    clip = clip_folder(path) / "1.wav"
    clip.parent.mkdir()
    clip.write_bytes(b"RIFF of old.")
    path.chmod(0o644)
    return path


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as base:
        return int(base.execute("PRAGMA user_version").fetchone()[0])


def test_a_new_history_carries_its_version(path: Path) -> None:
    Store(path, SETTINGS).close()
    assert version(path) == VERSION


def test_a_history_of_the_first_version_is_brought_up_to_date_and_loses_nothing(first: Path) -> None:
    with closing(Store(first, SETTINGS)) as store:
        store.write([Begin(0, "porch", "Cat", NOW + 20, 1.0, 0.5)])
        store.prune()
    events = HistoryReader(first).search()
    assert [(event.id, event.label, event.time, event.offset, event.has_clip, event.is_on) for event in events] == [
        (3, "Cat", NOW + 20, None, False, False),
        (2, "Dog", NOW + 9, None, False, False),
        (1, "Dog", NOW, 5.76, True, False),
    ]
    assert HistoryReader(first).clip(1) == clip_folder(first) / "1.wav"
    assert version(first) == VERSION
    assert first.stat().st_mode & 0o007 == 0


def test_a_history_that_no_service_has_brought_up_to_date_yet_can_be_read(first: Path) -> None:
    reader = HistoryReader(first)
    assert [event.id for event in reader.search()] == [2, 1]
    assert reader.names() == (["Dog"], ["yard"])
    assert reader.clip(1) == clip_folder(first) / "1.wav"
    assert reader.clip(2) is None
    assert version(first) == 0


def test_a_history_of_before_anything_was_taught_keeps_its_events_and_takes_verdicts_from_then_on(path: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA journal_mode = WAL")
        for step in (FIRST, *layout._STEPS[0]):
            base.executescript(step)
        base.execute("PRAGMA user_version = 1")
        base.execute(
            "INSERT INTO events VALUES (1, '0123abcd', 0, 'yard', 'Dog', ?, 4.8, 5.76, 0.75, 0, ?, NULL)", (NOW, NOW)
        )
        base.commit()
    said = Verdict("yard", "Dog", NOW, is_right=False, who="ann", given=NOW + 60)
    assert len(HistoryReader(path).embeddings("some model")) == 0
    assert read_verdicts(path) == []
    with pytest.raises(HistoryError, match="an earlier Streamtag wrote it; start the service once"):
        write_verdict(path, said)
    Store(path, SETTINGS).close()
    write_verdict(path, said)
    assert read_verdicts(path) == [said]
    assert [event.label for event in HistoryReader(path).search()] == ["Dog"]
    assert version(path) == VERSION


def test_what_fails_half_way_leaves_the_first_version_whole(first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = ("ALTER TABLE events ADD COLUMN kept REAL NOT NULL DEFAULT 0", "this is no SQL")
    monkeypatch.setitem(layout._STEPS, 0, steps)
    with pytest.raises(sqlite3.OperationalError):
        Store(first, SETTINGS)
    monkeypatch.undo()
    Store(first, SETTINGS).close()
    assert len(HistoryReader(first).search()) == 2


@pytest.mark.parametrize("in_the_log", [False, True], ids=["in-the-file", "in-the-write-ahead-log"])
def test_a_history_of_a_newer_version_is_refused_and_not_touched(path: Path, in_the_log: bool) -> None:
    Store(path, SETTINGS).close()
    base = sqlite3.connect(path)
    base.execute("ALTER TABLE events RENAME COLUMN stream TO source")
    base.execute(f"PRAGMA user_version = {VERSION + 1}")
    base.commit()
    if not in_the_log:
        base.close()
    before = {file: file.read_bytes() for file in path.parent.iterdir() if not file.name.endswith("-shm")}
    for attempt in (lambda: Store(path, SETTINGS), HistoryReader(path).search, lambda: HistoryReader(path).clip(1)):
        with pytest.raises(HistoryError, match=r"history\.sqlite: a newer Streamtag wrote it \(version 3, this"):
            attempt()
    assert {file: file.read_bytes() for file in path.parent.iterdir() if not file.name.endswith("-shm")} == before
    base.close()


def test_a_database_of_something_else_is_refused_and_not_touched(path: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        base.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, what TEXT)")
        base.execute("INSERT INTO events VALUES (1, 'a wedding')")
        base.commit()
    before = path.read_bytes()
    for attempt in (lambda: Store(path, SETTINGS), HistoryReader(path).search):
        with pytest.raises(HistoryError, match="it is a database of something else"):
            attempt()
    assert path.read_bytes() == before


def test_a_history_that_was_left_in_the_middle_of_its_making_is_opened(path: Path) -> None:
    made = path.with_name("made.sqlite")
    with closing(sqlite3.connect(made)) as base:
        base.executescript(FIRST)
        base.execute("PRAGMA cache_size = 1")
        insert = "INSERT INTO events VALUES (NULL, '0123abcd', ?, 'yard', 'Dog', 0, 0, 0, 0.75, 0)"
        base.executemany(insert, [(token,) for token in range(5000)])
        for end in ("", "-journal"):  # as they are when the process is killed now
            path.with_name(path.name + end).write_bytes(made.with_name(made.name + end).read_bytes())
    assert HistoryReader(path).search() == []
    Store(path, SETTINGS).close()
