import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamtag.audio import PATCH_HOP, PATCH_SAMPLES, Patch
from streamtag.history import History
from streamtag.history.clock import EvenClock
from streamtag.history.store import LOCK_SECONDS
from streamtag.history.trouble import SURE_SECONDS
from streamtag.settings import HistorySettings

NOW = 1_700_000_000.0


def patch(index: int, level: float = 0.25, time: float = NOW) -> Patch:
    """Patch number `index` of a stream, captured as if the stream had begun at `time`."""
    start = index * PATCH_HOP
    window = np.full(PATCH_SAMPLES, level, np.float32)
    return Patch(start, window, time + (start + PATCH_SAMPLES) / 16000, -12.0, -12.0)


class Clock(EvenClock):
    """A clock of the day that a test sets, beside one that only goes on."""

    def __init__(self, wall: float = NOW) -> None:
        self.wall = wall
        self.gone = 1000.0
        super().__init__(lambda: self.wall, lambda: self.gone)

    def go_on(self, seconds: float) -> None:
        self.wall += seconds
        self.gone += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


@pytest.fixture
def keep(path: Path) -> Iterator[Callable[..., History]]:
    """Start a history that ends with the test, and tries again soon."""
    running: list[History] = []

    def make(sure_seconds: float = SURE_SECONDS, lock_seconds: float = LOCK_SECONDS, **settings: Any) -> History:
        wanted = HistorySettings(path=str(path), **{"keep_days": 36500.0, **settings})
        running.append(History(path, wanted, retry_seconds=0.05, sure_seconds=sure_seconds, lock_seconds=lock_seconds))
        running[-1].start()
        return running[-1]

    yield make
    for history in running:
        history.stop(5.0)


def rows(path: Path) -> int:
    """How many events are kept; a history that is just being made has none."""
    with closing(sqlite3.connect(path)) as base:
        if not base.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone():
            return 0
        return int(base.execute("SELECT COUNT(*) FROM events").fetchone()[0])
