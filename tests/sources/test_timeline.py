from hypothesis import given
from hypothesis import strategies as st

from streamtag.sources.timeline import Timeline


@given(st.lists(st.integers(0, 5000)))
def test_unbroken_samples_follow_each_other(lengths: list[int]) -> None:
    timeline = Timeline()
    starts = [timeline.advance(length, 48000) for length in lengths]
    assert starts == [sum(lengths[:i]) for i in range(len(lengths))]


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.sampled_from([8000, 16000, 44100, 48000, 192000]))
def test_lost_audio_shows_as_a_jump_of_just_that_many_samples(before: int, lost: int, rate: int) -> None:
    timeline = Timeline()
    timeline.advance(before, rate)
    assert timeline.advance(10, rate, lost / rate) == before + lost


@given(st.integers(0, 10**9), st.sampled_from([8000, 44100, 48000]), st.sampled_from([8000, 16000, 192000]))
def test_a_change_of_rate_keeps_the_place_in_time(before: int, old_rate: int, new_rate: int) -> None:
    timeline = Timeline()
    timeline.advance(before, old_rate)
    start = timeline.advance(10, new_rate)
    assert abs(start / new_rate - before / old_rate) <= 0.5 / new_rate + 1e-9
