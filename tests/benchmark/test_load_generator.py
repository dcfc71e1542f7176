import time
from collections import Counter
from itertools import pairwise

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from streamtag.audio import PATCH_HOP, PATCH_SAMPLES
from streamtag.benchmark.load_generator import LEAD_SAMPLES, PATCH_SECONDS, LoadGenerator, Plan
from streamtag.errors import StreamtagError
from streamtag.wire.pcm_messages import PcmBlock, decode_message

blocks = st.sampled_from([240, 480, 1920, 15360])


@given(st.integers(1, 3000), blocks, st.floats(0.5, 5), st.integers(0, 50), st.data())
def test_a_patch_is_captured_with_the_block_that_holds_its_last_sample(
    streams: int, block: int, seconds: float, patch: int, data: st.DataObject
) -> None:
    plan = Plan.of(streams, block, 100.0, seconds)
    stream = data.draw(st.integers(0, streams - 1))
    last_sample = patch * PATCH_HOP + PATCH_SAMPLES - 1
    number = -(-(last_sample + 1 - LEAD_SAMPLES) // block)
    assert LEAD_SAMPLES + (number - 1) * block <= last_sample < LEAD_SAMPLES + number * block
    assert plan.captured(stream, patch * PATCH_HOP) == plan.due(stream, number)


@given(st.integers(1, 3000), blocks, st.floats(0.5, 5))
def test_every_stream_has_begun_and_settled_before_its_patches_count(streams: int, block: int, seconds: float) -> None:
    plan = Plan.of(streams, block, 100.0, seconds)
    assert max(plan.due(stream, 0) for stream in range(streams)) < plan.count_from - 3
    wanted = seconds / PATCH_SECONDS
    assert all(abs(plan.expected(stream) - wanted) <= 1 for stream in (0, streams // 2, streams - 1))


@given(st.integers(2, 2000))
def test_the_load_is_even_once_all_have_begun(streams: int) -> None:
    plan = Plan.of(streams, 15360, 0.0, 5.0)
    places = sorted(plan.due(stream, 0) % PATCH_SECONDS for stream in range(streams))
    gaps = [after - before for before, after in pairwise(places)]
    assert max(gaps, default=0) < 2 * PATCH_SECONDS / streams


def test_the_crowd_stops_and_the_few_go_on() -> None:
    plan = Plan.of(10, 15360, 0.0, 9.6, few=2, few_seconds=4.8)
    assert [stream for stream in range(10) if plan.goes_on(stream)] == [4, 9]
    assert plan.last(4) == pytest.approx(plan.last(3) + 4.8)
    assert [plan.expected(stream) for stream in (4, 3)] == [15, 10]


def test_each_stream_is_pushed_as_planned() -> None:
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        with LoadGenerator(f"tcp://127.0.0.1:{port}") as generator:
            plan = Plan(3, 1920, time.monotonic() + 0.1, 0.0, time.monotonic() + 1.5, 1, time.monotonic() + 0.9)
            generator.begin(plan)
            samples: dict[str, list[int]] = {}
            lateness = generator.lateness()
            assert lateness is not None
            assert lateness >= 0
            planned = [sum(plan.due(stream, number) < plan.last(stream) for number in range(20)) for stream in range(3)]
            while socket.poll(20_000 if sum(map(len, samples.values())) < sum(planned) else 200):
                block = decode_message(socket.recv_multipart())
                assert isinstance(block, PcmBlock)
                samples.setdefault(block.stream, []).append(len(block.samples))
    counts = Counter({name: len(sizes) for name, sizes in samples.items()})
    assert all(sizes[0] == LEAD_SAMPLES and set(sizes[1:]) == {1920} for sizes in samples.values())
    assert [counts[f"bench{stream}"] for stream in range(3)] == planned


def test_a_pusher_that_ends_early_is_told_of() -> None:
    with LoadGenerator("tcp://127.0.0.1:9") as generator:
        generator._process.terminate()
        with pytest.raises(StreamtagError, match="the process that pushes sound ended"):
            generator.lateness()
