from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streamtag.fleet.placement import Room, place, room_of

ROOMS = st.lists(st.integers(1, 20), max_size=6).map(
    lambda sizes: [Room(f"n{number}", most, most + most // 4) for number, most in enumerate(sizes)]
)
STREAMS = st.integers(0, 60).map(lambda count: [f"s{number}" for number in range(count)])
BEFORE = st.dictionaries(
    st.integers(0, 59).map(lambda number: f"s{number}"), st.integers(0, 7).map(lambda number: f"n{number}")
)


@given(STREAMS, ROOMS, BEFORE)
def test_every_stream_has_a_node_while_there_is_room(
    streams: list[str], rooms: list[Room], before: dict[str, str]
) -> None:
    placed = place(streams, rooms, before)
    assert placed.keys() <= set(streams)
    assert set(placed.values()) <= {room.node for room in rooms}
    if len(streams) <= sum(room.most for room in rooms):
        assert placed.keys() == set(streams)


@given(STREAMS, ROOMS, BEFORE)
def test_no_node_gets_more_than_it_carries_but_what_it_has_and_nobody_takes(
    streams: list[str], rooms: list[Room], before: dict[str, str]
) -> None:
    placed = place(streams, rooms, before)
    counts = Counter(placed.values())
    for room in rooms:
        new = [stream for stream, node in placed.items() if node == room.node and before.get(stream) != node]
        assert not new or counts[room.node] <= room.limit
        if counts[room.node] > room.limit:
            assert all(counts[other.node] >= other.most for other in rooms)


@given(STREAMS, ROOMS, BEFORE)
def test_what_was_placed_stays(streams: list[str], rooms: list[Room], before: dict[str, str]) -> None:
    placed = place(streams, rooms, before)
    assert place(streams, rooms, placed) == placed


@given(st.integers(1, 40), st.integers(2, 5))
def test_only_the_streams_of_a_lost_node_move(count: int, nodes: int) -> None:
    streams = [f"s{number}" for number in range(count)]
    rooms = [Room(f"n{number}", 100, 120) for number in range(nodes)]
    before = place(streams, rooms, {})
    after = place(streams, rooms[1:], before)
    assert all(after[stream] == node for stream, node in before.items() if node != "n0")
    assert "n0" not in after.values()


def test_a_node_that_returns_is_filled_again_without_moving_more_than_that_takes() -> None:
    streams = [f"s{number}" for number in range(30)]
    rooms = [Room(f"n{number}", 20, 25) for number in range(3)]
    crowded = place(streams, rooms[1:], {})
    after = place(streams, rooms, crowded)
    moved = {stream for stream in streams if after[stream] != crowded[stream]}
    assert {after[stream] for stream in moved} == {"n0"}
    assert 6 <= Counter(after.values())["n0"] <= 10


def test_a_node_that_became_slow_gives_away_what_others_have_room_for() -> None:
    streams = [f"s{number}" for number in range(20)]
    rooms = [Room("fast", 30, 40), Room("slow", 30, 40)]
    before = {stream: "fast" if number < 10 else "slow" for number, stream in enumerate(streams)}
    after = Counter(place(streams, [rooms[0], Room("slow", 3, 4)], before).values())
    assert after == {"fast": 17, "slow": 3} or after["slow"] < 3


def test_room_is_what_a_service_says_less_head_room() -> None:
    assert room_of("a", 100, 0.2, 50) == Room("a", 80, 100)
    assert room_of("a", 0, 0.2, 50) == Room("a", 1, 1)
    assert room_of("a", None, 0.2, 50) == Room("a", 50, 50)
