import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.sources.feed import Complete, Feed, Lost, Piece

RATE = 1000


def piece(samples: int) -> Piece:
    return Piece(np.zeros((samples, 1), np.float32), RATE, 0.0, 0.0)


def make(wake: Callable[[], None] = lambda: None) -> Feed:
    return Feed(10.0, wake)


def take_all(feed: Feed) -> list[Piece]:
    """Take what is there; for a feed that ended."""
    heard: list[Piece] = []
    try:
        while True:
            heard += feed.get()
    except Complete:
        return heard


@given(st.lists(st.integers(1, 20 * RATE), min_size=1, max_size=20))
def test_what_a_full_feed_drops_counts_as_lost(pieces: list[int]) -> None:
    feed = make()
    for samples in pieces:
        feed.put(piece(samples))
    feed.end(None)
    heard = take_all(feed)
    there = sum(len(item.samples) + round(item.lost_seconds * RATE) for item in heard)
    assert there == sum(pieces)
    assert sum(len(item.samples) for item in heard) <= 30 * RATE
    assert len(heard[-1].samples) == pieces[-1]


def test_a_recording_waits_for_room_and_loses_nothing() -> None:
    filled = threading.Semaphore(0)
    feed = make(filled.release)

    def fill() -> None:
        for _ in range(10):
            feed.put(piece(20 * RATE), wait=True)

    threading.Thread(target=fill, daemon=True).start()
    heard: list[Piece] = []
    for _ in range(10):
        assert filled.acquire(timeout=60)
        heard += feed.get()
    assert [len(item.samples) for item in heard] == [20 * RATE] * 10
    assert all(item.lost_seconds == 0 for item in heard)


def test_closing_releases_who_waits_for_room() -> None:
    feed = make()
    feed.put(piece(20 * RATE))
    filler = threading.Thread(target=lambda: feed.put(piece(20 * RATE), wait=True), daemon=True)
    filler.start()
    feed.close()
    filler.join(60)
    assert not filler.is_alive()


def test_whoever_takes_is_woken_by_what_comes_by_the_end_and_by_closing() -> None:
    woken: list[None] = []
    feed = make(lambda: woken.append(None))
    assert feed.is_empty
    feed.put(piece(5))
    assert len(woken) == 1
    assert not feed.is_empty
    feed.end(None)
    assert len(woken) == 2
    feed.close()
    assert len(woken) == 3
    assert len(take_all(feed)) == 1


def test_nothing_is_taken_before_something_comes() -> None:
    assert list(make().get()) == []


def test_what_came_before_a_break_is_heard_before_the_break() -> None:
    feed = make()
    feed.put(piece(5))
    feed.end(Lost("broken"))
    feed.end(Lost("later"))
    (heard,) = feed.get()
    assert len(heard.samples) == 5
    for _ in range(2):
        with pytest.raises(Lost, match="broken"):
            feed.get()


def test_what_claims_to_last_no_time_fills_a_feed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamtag.sources.feed._MOST_BYTES", 40_000)
    feed = make()
    for _ in range(100):
        feed.put(Piece(np.zeros((1000, 1), np.float32), 1 << 24, 0.0, 0.0))
    feed.end(None)
    assert len(take_all(feed)) == 10
