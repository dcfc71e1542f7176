"""What a stream holds in memory, over intake, queues and scoring."""

import os
from collections.abc import Callable

import numpy as np
import psutil

from streamtag.audio import resample
from streamtag.engine import Service
from streamtag.engine.times import ServiceTimes
from streamtag.intake import PushedTimes
from streamtag.wire import PcmPusher
from tests.engine.listening import Listener
from tests.sounds import noise

RATE = 48000
STREAMS = 40
"""In each wave; the memory that one wave gave back serves the next."""
MOST_BYTES = 200_000


def own_bytes() -> int:
    used: int = psutil.Process(os.getpid()).memory_full_info().uss
    return used


def test_an_idle_stream_takes_little_memory_whatever_it_brought_before(
    serve: Callable[..., Service],
    listen: Callable[..., Listener],
    push: Callable[[Service], PcmPusher],
) -> None:
    service = serve(ServiceTimes(pushed=PushedTimes(stalled=0.3)), max_streams=10 * STREAMS)
    listener, pusher = listen(service, kinds=["status", "service"]), push(service)
    listener.until(lambda message: message.header["kind"] == "service")
    sound = (noise(1.5, RATE) * 32767).astype(np.int16)

    def wave(number: int) -> None:
        names = [f"s{number}.{index}" for index in range(STREAMS)]
        for name in names:
            pusher.push(name, sound, RATE)
        listener.states_of("stalled", *names)
        assert all(listener.of("status", name)[-1].header["patches"] == 2 for name in names)
        listener.heard.clear()

    wave(0)
    before = own_bytes()
    for number in range(1, 4):
        wave(number)
    assert (own_bytes() - before) / (3 * STREAMS) < MOST_BYTES


def test_large_blocks_leave_no_large_buffers_in_a_stream_that_goes_on() -> None:
    sound = noise(1.5, RATE)
    resamplers = [resample.Resampler(RATE) for _ in range(100)]
    before = own_bytes()
    for resampler in resamplers:
        resampler.feed(sound)
    assert (own_bytes() - before) / len(resamplers) < MOST_BYTES
