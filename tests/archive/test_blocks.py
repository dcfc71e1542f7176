from hypothesis import given
from hypothesis import strategies as st

from streamtag.archive.blocks import blocks_of
from streamtag.archive.inputs import Recording, State

SIZES = st.lists(st.integers(0, 10**10), max_size=200)


def recordings(sizes: list[int], suffix: str = "wav") -> list[Recording]:
    return [Recording(f"/{number}.{suffix}", State(size, 0.0)) for number, size in enumerate(sizes)]


@given(SIZES, st.integers(1, 64))
def test_blocks_hold_every_recording_once_and_in_order(sizes: list[int], processes: int) -> None:
    todo = recordings(sizes)
    blocks = blocks_of(todo, processes)
    assert [recording for block in blocks for recording in block] == todo
    assert all(blocks)


def test_a_block_is_about_a_minute_of_work() -> None:
    hours = blocks_of(recordings([1_200_000_000] * 100), 2)  # of plain stereo at 44.1 kHz, two hours
    assert {len(block) for block in hours} == {2}
    songs = blocks_of(recordings([4_000_000] * 10_000, "mp3"), 2)
    assert {len(block) for block in songs[:-1]} == {115}


def test_every_process_has_something_to_do_where_there_is_little() -> None:
    assert len(blocks_of(recordings([20_000_000] * 100), 4)) >= 4 * 8
