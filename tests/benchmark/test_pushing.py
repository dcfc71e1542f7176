import time
from collections import Counter

import pytest
import zmq

from streamtag.benchmark.plan import LEAD_SAMPLES, Plan
from streamtag.benchmark.pushing import Pushing
from streamtag.errors import StreamtagError
from streamtag.wire.pcm import PcmBlock, decode_message


def test_each_stream_is_pushed_as_planned() -> None:
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        with Pushing(f"tcp://127.0.0.1:{port}") as pushing:
            plan = Plan(3, 1920, time.monotonic() + 0.1, 0.0, time.monotonic() + 1.5, 1, time.monotonic() + 0.9)
            pushing.begin(plan)
            samples: dict[str, list[int]] = {}
            assert pushing.lateness() >= 0
            planned = [sum(plan.due(stream, number) < plan.last(stream) for number in range(20)) for stream in range(3)]
            while socket.poll(20_000 if sum(map(len, samples.values())) < sum(planned) else 200):
                block = decode_message(socket.recv_multipart())
                assert isinstance(block, PcmBlock)
                samples.setdefault(block.stream, []).append(len(block.samples))
    counts = Counter({name: len(sizes) for name, sizes in samples.items()})
    assert all(sizes[0] == LEAD_SAMPLES and set(sizes[1:]) == {1920} for sizes in samples.values())
    assert [counts[f"bench{stream}"] for stream in range(3)] == planned


def test_a_pusher_that_ends_early_is_told_of() -> None:
    with Pushing("tcp://127.0.0.1:9") as pushing:
        pushing._process.terminate()
        with pytest.raises(StreamtagError, match="the process that pushes sound ended"):
            pushing.lateness()
