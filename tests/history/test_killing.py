"""Recorder, store and SQLite in a process that is killed at any moment."""

import sqlite3
import subprocess
import sys
import wave
from contextlib import closing
from pathlib import Path

from streamtag.history import HistoryReader
from streamtag.history.layout import clip_folder
from streamtag.history.store import Store
from streamtag.settings import HistorySettings


def test_what_was_told_is_there_after_twenty_kills_at_random_moments(path: Path) -> None:
    command = [sys.executable, "-m", "tests.history.killing", str(path), "20"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    Store(path, HistorySettings(keep_days=36500.0, clips=True)).close()
    with closing(sqlite3.connect(path)) as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    reader = HistoryReader(path)
    found = reader.search(limit=1_000_000)
    assert len({line.split()[0] for line in told}) > 5  # the others were killed before they had begun
    assert len(told) > 50
    assert {tuple(line.split()) for line in told} <= {(event.stream, str(round(event.onset / 0.96))) for event in found}
    clips = {reader.clip(event.id) for event in found if event.has_clip}
    assert clips == set(clip_folder(path).iterdir())
    assert len(clips) > 20
    for clip in clips:
        with wave.open(str(clip)) as file:
            assert len(file.readframes(file.getnframes())) == 2 * file.getnframes() > 0
