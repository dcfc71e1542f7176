import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.sources.feed import Feed, Lost, Piece
from streamtag.sources.source import Patience

RATE = 1000


def piece(samples: int, lost_seconds: float = 0.0) -> Piece:
    return Piece(np.zeros((samples, 1), np.float32), RATE, lost_seconds, 0.0)


@given(st.lists(st.tuples(st.integers(1, 20 * RATE), st.integers(0, RATE)), min_size=1, max_size=20))
def test_what_a_full_feed_drops_counts_as_lost(pieces: list[tuple[int, int]]) -> None:
    feed = Feed(Patience())
    for samples, lost in pieces:
        feed.put(piece(samples, lost / RATE))
    feed.end(None)
    heard = list(feed)
    there = sum(len(item.samples) + round(item.lost_seconds * RATE) for item in heard)
    assert there == sum(samples + lost for samples, lost in pieces)
    assert sum(len(item.samples) for item in heard) <= 30 * RATE
    assert len(heard[-1].samples) == pieces[-1][0]


def test_a_recording_waits_for_room_and_loses_nothing() -> None:
    feed = Feed(Patience())

    def fill() -> None:
        for _ in range(10):
            feed.put(piece(20 * RATE), wait=True)
        feed.end(None)

    threading.Thread(target=fill, daemon=True).start()
    heard = list(feed)
    assert [len(item.samples) for item in heard] == [20 * RATE] * 10
    assert all(item.lost_seconds == 0 for item in heard)


def test_closing_releases_who_waits_for_room() -> None:
    feed = Feed(Patience())
    feed.put(piece(20 * RATE))
    filler = threading.Thread(target=lambda: feed.put(piece(20 * RATE), wait=True), daemon=True)
    filler.start()
    feed.close()
    filler.join(5)
    assert not filler.is_alive()


def test_a_silent_connection_is_stalled() -> None:
    feed = Feed(Patience(open_seconds=0.01, read_seconds=0.02))
    with pytest.raises(Lost, match="no audio for") as caught:
        list(feed)
    assert caught.value.stalled


def test_what_came_before_a_break_is_heard_before_the_break() -> None:
    feed = Feed(Patience())
    feed.put(piece(5))
    feed.end(Lost("broken"))
    feed.end(Lost("later"))
    heard = iter(feed)
    assert len(next(heard).samples) == 5
    with pytest.raises(Lost, match="broken"):
        next(heard)
