import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.sources.clock import LostAudio, drop_backlog
from streamtag.sources.feed import Piece

RATE = 1000


def arrivals(times_and_seconds: list[tuple[float, float]], now: list[float]):  # type: ignore[no-untyped-def]
    for number, (time, seconds) in enumerate(times_and_seconds):
        now[0] = time
        yield Piece(np.full((round(seconds * RATE), 1), number, np.float32), RATE, 0.0, time)


def settled(times_and_seconds: list[tuple[float, float]]) -> list[Piece]:
    now = [0.0]
    return list(drop_backlog(arrivals(times_and_seconds, now), 0.0, lambda: now[0]))


def length(pieces: list[Piece]) -> float:
    return sum(len(piece.samples) for piece in pieces) / RATE


def test_a_burst_of_old_audio_is_dropped() -> None:
    burst = [(0.1, 0.1)] * 80
    live = [(0.1 + 0.1 * i, 0.1) for i in range(1, 20)]
    kept = settled(burst + live)
    assert length(kept) == pytest.approx(2.0 + 0.5, abs=0.15)
    assert kept[-1].samples[0, 0] == len(burst + live) - 1


def test_a_stream_without_a_burst_is_kept_whole() -> None:
    live = [(0.3 + 0.1 * i, 0.1) for i in range(20)]
    assert length(settled(live)) == pytest.approx(2.0)


def test_what_arrives_in_lumps_of_a_second_is_kept() -> None:
    lumps = [(1.0 + second, 0.1) for second in range(4) for _ in range(10)]
    assert length(settled(lumps)) == pytest.approx(4.0, abs=0.6)


def test_nothing_comes_out_of_a_server_that_only_repeats_its_store() -> None:
    assert settled([(0.1, 0.1)] * 60) == []


def test_a_heap_was_captured_one_after_the_other() -> None:
    captured = [piece.captured for piece in settled([(0.2, 0.1)] * 5 + [(0.8, 0.1)])]
    assert captured == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7, 0.8])


def test_a_hole_that_the_clock_confirms_is_believed() -> None:
    lost = LostAudio()
    for i in range(10):
        assert lost.seconds(0.0, 0.1, 0.1 * i) == 0.0
    assert lost.seconds(2.0, 0.1, 0.1 * 9 + 2.1) == pytest.approx(2.0)
    assert lost.seconds(0.0, 0.1, 0.1 * 10 + 2.1) == 0.0


def test_a_sender_that_starts_its_time_stamps_anew_lost_nothing() -> None:
    lost = LostAudio()
    for i in range(10):
        lost.seconds(0.0, 0.1, 0.1 * i)
    assert lost.seconds(3600.0, 0.1, 1.0) == 0.0


def test_a_missing_segment_between_lumps_is_believed() -> None:
    lost = LostAudio()
    for lump in range(3):
        for _ in range(20):
            assert lost.seconds(0.0, 0.1, 2.0 * lump) == 0.0
    assert lost.seconds(2.0, 0.1, 2.0 * 4) == pytest.approx(2.0)


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(0.01, 1), st.floats(0, 5)), max_size=50))
def test_audio_never_comes_from_the_future(chunks: list[tuple[float, float, float]]) -> None:
    lost = LostAudio()
    now = begin = 0.0
    position = lead = 0.0
    for number, (skipped, seconds, wait) in enumerate(chunks):
        now += wait
        begin = now - seconds if number == 0 else begin
        gap = lost.seconds(skipped, seconds, now)
        assert 0.0 <= gap <= skipped
        position += gap + seconds
        if gap:
            assert position - (now - begin) <= lead + 0.5 + 1e-6
        lead = max(lead, position - (now - begin))
