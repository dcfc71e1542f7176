import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from streamtag.audio import PATCH_HOP, PATCH_SAMPLES, Patch
from streamtag.history import History
from streamtag.settings import HistorySettings

NOW = 1_700_000_000.0


def patch(index: int, level: float = 0.25, time: float = NOW) -> Patch:
    """Patch number `index` of a stream, captured as if the stream had begun at `time`."""
    start = index * PATCH_HOP
    window = np.full(PATCH_SAMPLES, level, np.float32)
    return Patch(start, window, time + (start + PATCH_SAMPLES) / 16000, -12.0, -12.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


@pytest.fixture
def keep(path: Path) -> Iterator[Callable[..., History]]:
    """Start a history that ends with the test."""
    running: list[History] = []

    def make(**settings: object) -> History:
        running.append(History(path, HistorySettings(path=str(path), keep_days=36500.0, **settings)))
        running[-1].start()
        return running[-1]

    yield make
    for history in running:
        history.stop(5.0)


def rows(path: Path) -> int:
    with sqlite3.connect(path) as base:
        return int(base.execute("SELECT COUNT(*) FROM events").fetchone()[0])
