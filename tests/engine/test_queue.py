import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.audio import Patch
from streamtag.engine import queue as queue_module
from streamtag.engine.queue import StreamQueue, StreamQueues
from streamtag.intake import Change

Queues = StreamQueues[str]


def patch(number: int) -> Patch:
    return Patch(number, np.zeros(0, np.float32), 0.0, -120.0, -120.0)


def stream(queues: Queues, name: str = "a", whose: str = "") -> StreamQueue[str]:
    return queues.open(name, whose or name)


def numbers(queues: Queues, most: int = 10_000) -> list[tuple[str, int]]:
    """Take what is there, as stream and number of its patches."""
    return [(whose, item.start) for whose, item in queues.get(most, 0.0, 0.0) if whose and isinstance(item, Patch)]


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_what_is_put_is_taken_in_its_order() -> None:
    queues: Queues = StreamQueues()
    one = stream(queues)
    items: list[Any] = [patch(0), Change("live"), patch(1), Change("ended")]
    one.put(items)
    assert [item for _, item in queues.get(10, 0.0, 0.0)] == items
    assert queues.get(10, 0.0, 0.0) == []


def test_turns_are_fair_however_much_one_stream_has() -> None:
    queues: Queues = StreamQueues()
    much, little, late = (stream(queues, name) for name in ("much", "little", "late"))
    much.put([patch(number) for number in range(50)])
    little.put([patch(0), patch(1)])
    late.put([patch(0)])
    assert numbers(queues, 6) == [("much", 0), ("little", 0), ("late", 0), ("much", 1), ("little", 1), ("much", 2)]
    late.put([patch(1)])
    assert numbers(queues, 2) == [("much", 3), ("late", 1)]


def test_a_full_queue_drops_its_oldest_patch_and_counts_it() -> None:
    queues: Queues = StreamQueues()
    one, other = stream(queues, "one"), stream(queues, "other")
    other.put([patch(0)])
    one.put([Change("live"), *(patch(number) for number in range(130)), Change("ended")])
    assert (one.dropped_patches, one.pending_patches) == (2, 128)
    assert (other.dropped_patches, other.pending_patches) == (0, 1)
    work = queues.get(1000, 0.0, 0.0)
    mine = [item for whose, item in work if whose == "one"]
    assert mine[0] == Change("live")  # changes are never dropped
    assert mine[-1] == Change("ended")
    assert [item.start for item in mine if isinstance(item, Patch)] == list(range(2, 130))
    assert one.pending_patches == 0


def test_a_patch_that_waited_too_long_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    queues: Queues = StreamQueues()
    live, recording = stream(queues, "live"), stream(queues, "recording")
    now = time.monotonic()
    monkeypatch.setattr("streamtag.engine.queue.time.monotonic", lambda: now)
    live.put([Change("live"), patch(0), patch(1)])
    recording.put([patch(0)], wait=True)
    now += 9.0
    live.put([patch(2)])
    now += 2.0
    assert numbers(queues) == [("recording", 0), ("live", 2)]
    assert (live.dropped_patches, live.pending_patches) == (2, 0)
    assert (recording.dropped_patches, recording.pending_patches) == (0, 0)


def test_the_room_is_shared_among_the_streams() -> None:
    queues: Queues = StreamQueues()
    one = stream(queues)
    queues.share_among(512)
    one.put([patch(number) for number in range(10)])
    assert one.pending_patches == 8
    queues.share_among(1_000_000)
    one.put([patch(number) for number in range(10)])
    assert numbers(queues)[-1] == ("a", 9)


def test_a_source_that_can_wait_loses_nothing() -> None:
    queues: Queues = StreamQueues()
    one = stream(queues)

    def put_all() -> None:
        for number in range(1000):
            one.put([patch(number)], wait=True)

    putting = threading.Thread(target=put_all, daemon=True)
    putting.start()
    taken: list[int] = []
    while len(taken) < 1000:
        work = queues.get(7, 0.0, 5.0)
        assert work
        assert one.pending_patches <= 128
        taken += [item.start for _, item in work if isinstance(item, Patch)]
    putting.join(60)
    assert taken == list(range(1000))
    assert one.dropped_patches == 0


@pytest.mark.parametrize("end", ["close", "leave"])
def test_nobody_waits_for_room_that_never_comes(end: str) -> None:
    queues: Queues = StreamQueues()
    one = stream(queues)
    putting = threading.Thread(
        target=one.put, args=([patch(number) for number in range(200)],), kwargs={"wait": True}, daemon=True
    )
    putting.start()
    wait_until(lambda: one.pending_patches == 128)
    assert putting.is_alive()
    if end == "close":
        queues.close()
    else:
        one.leave(lambda: None)
    putting.join(60)
    assert not putting.is_alive()


def test_nothing_of_a_stream_follows_its_leaving() -> None:
    queues: Queues = StreamQueues()
    one = stream(queues)
    done: list[str] = []
    one.put([patch(0)])
    one.leave(lambda: done.append("left"))
    one.put([patch(1), Change("ended")])
    work = [item for _, item in queues.get(10, 0.0, 0.0)]
    assert isinstance(work[0], Patch)
    assert len(work) == 2
    assert one.pending_patches == 0


def test_a_stream_stands_behind_all_of_an_earlier_one_of_its_name() -> None:
    queues: Queues = StreamQueues()
    before, after = stream(queues, whose="before"), stream(queues, whose="after")
    before.put([patch(0), patch(1), Change("ended")])
    before.leave(lambda: None)
    after.put([Change("live"), patch(0)])
    stream(queues, "other").put([patch(0)])
    taken = [whose for whose, _ in queues.get(100, 0.0, 0.0) if whose != "other"]
    assert taken == ["before"] * 4 + ["after"] * 2


def test_a_full_queue_drops_of_its_own_stream_and_not_of_one_of_the_same_name() -> None:
    queues: Queues = StreamQueues()
    before, after = stream(queues), stream(queues)
    before.put([patch(number) for number in range(3)])
    before.leave(lambda: None)
    after.put([patch(number) for number in range(129)])
    assert (before.dropped_patches, after.dropped_patches) == (0, 1)
    assert [number for _, number in numbers(queues)] == [0, 1, 2, *range(1, 129)]


def test_what_was_called_for_comes_before_all_that_is_pending() -> None:
    queues: Queues = StreamQueues()

    def action() -> None: ...

    stream(queues).put([patch(0)])
    queues.call(action)
    work = queues.get(10, 0.0, 0.0)
    assert work[0] == (None, action)
    assert len(work) == 2


def test_taking_waits_for_something_to_come_and_no_longer() -> None:
    queues: Queues = StreamQueues()
    taken: list[object] = []
    taking = threading.Thread(target=lambda: taken.extend(queues.get(10, 0.0, 30.0)), daemon=True)
    taking.start()
    stream(queues).put([patch(0)])
    taking.join(60)
    assert len(taken) == 1


def test_a_batch_waits_for_others_until_it_is_full() -> None:
    queues: Queues = StreamQueues()
    one, other = stream(queues, "one"), stream(queues, "other")
    taken: list[object] = []
    one.put([patch(0)])
    taking = threading.Thread(target=lambda: taken.extend(queues.get(2, 30.0, 30.0)), daemon=True)
    taking.start()
    other.put([patch(0)])
    taking.join(60)
    assert len(taken) == 2


def test_changes_alone_are_not_held_back_for_a_batch() -> None:
    queues: Queues = StreamQueues()
    stream(queues).put([Change("live")])
    assert len(queues.get(10, 30.0, 30.0)) == 1


def test_a_closed_queue_gives_what_it_holds_and_then_nothing_at_once() -> None:
    queues: Queues = StreamQueues()
    stream(queues).put([patch(0)])
    queues.close()
    assert len(queues.get(10, 30.0, 30.0)) == 1
    assert queues.get(10, 30.0, 30.0) == []


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 5)) | st.tuples(st.just("take"), st.integers(1, 9)),
        max_size=60,
    )
)
def test_every_patch_is_taken_once_or_counted_as_dropped(steps: list[tuple[str, int]]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(queue_module, "_ONE_STREAM", 3)
        queues: Queues = StreamQueues()
        streams = {name: stream(queues, name) for name in "abc"}
        put = dict.fromkeys("abc", 0)
        taken: dict[str, list[int]] = {name: [] for name in "abc"}

        def take(most: int) -> None:
            found = numbers(queues, most)
            assert len(found) <= most
            for name, number in found:
                taken[name].append(number)

        for name, count in steps:
            if name == "take":
                take(count)
            else:
                streams[name].put([patch(put[name] + number) for number in range(count)])
                put[name] += count
        take(10_000)
        for name in "abc":
            assert len(taken[name]) + streams[name].dropped_patches == put[name]
            assert taken[name] == sorted(set(taken[name]))
            assert streams[name].pending_patches == 0


def test_a_stream_that_is_moved_keeps_its_order_and_what_waits_for_room() -> None:
    before: Queues = StreamQueues()
    after: Queues = StreamQueues()
    one, other = stream(before), stream(before, "b")
    before.share_among(4096)  # room for two patches a stream
    one.put([patch(0), patch(1)])
    other.put([patch(0)])
    waiting = threading.Thread(target=one.put, args=([patch(2), patch(3)],), kwargs={"wait": True})
    waiting.start()
    done: list[str] = []
    before.move(one, after, lambda: done.append("taken over"))
    waiting.join(60)
    assert not waiting.is_alive()
    assert numbers(before) == [("b", 0)]
    work = after.get(10, 0.0, 0.0)
    first = work[0][1]
    assert not isinstance(first, Patch | Change)
    assert [item.start for _, item in work[1:] if isinstance(item, Patch)] == [0, 1, 2, 3]
    assert (one.pending_patches, one.dropped_patches) == (0, 0)
    one.leave(lambda: None)
    assert len(after.get(10, 0.0, 0.0)) == 1
