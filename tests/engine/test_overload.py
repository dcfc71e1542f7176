"""A service that has more to score than it can: intake, queue and inference together."""

import os
import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from streamtag.audio import PATCH_HOP, PATCH_SAMPLES
from streamtag.engine import Service, models
from streamtag.engine.times import ServiceTimes
from streamtag.intake import PushedTimes
from streamtag.runtimes import Embedded, Runtime, open_runtime
from streamtag.wire import PcmPusher
from tests.engine.listening import Listener
from tests.sounds import noise

STREAMS = [f"s{index}" for index in range(40)]
ROOM = 6
"""Patches of each stream that may wait."""
ROUNDS = 15
HOP_SECONDS = PATCH_HOP / 16000


class HeldRuntime:
    """Tells when it is asked to score, and scores nothing before it is let go."""

    def __init__(self, runtime: Runtime, asked: threading.Event, go: threading.Event) -> None:
        self.name, self.device, self.precision = runtime.name, runtime.device, runtime.precision
        self._runtime = runtime
        self._asked = asked
        self._go = go

    def run(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        self._hold()
        return self._runtime.run(patches)

    def embed(self, patches: NDArray[np.float32]) -> Embedded:
        self._hold()
        return self._runtime.embed(patches)

    def _hold(self) -> None:
        self._asked.set()
        self._go.wait()


def test_overload_drops_the_oldest_of_all_streams_evenly_and_is_over_when_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
    serve: Callable[..., Service],
    listen: Callable[..., Listener],
    push: Callable[[Service], PcmPusher],
) -> None:
    asked, go = threading.Event(), threading.Event()
    fast = open_runtime
    monkeypatch.setattr(models, "open_runtime", lambda *args, **wishes: HeldRuntime(fast(*args, **wishes), asked, go))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})  # one thread scores
    monkeypatch.setattr("streamtag.engine.queue._ONE_STREAM", ROOM)
    running = serve(ServiceTimes(longest_wait=1000.0, pushed=PushedTimes(stalled=1000.0)))  # however slow it is
    listener = listen(running)
    listener.until(lambda message: message.header["kind"] == "service")
    pusher = push(running)
    begin, block = noise(PATCH_SAMPLES / 16000), noise(HOP_SECONDS)
    pusher.push("first", begin, 16000)
    assert asked.wait(60)  # from here on nothing is taken out of the queue
    for number in range(ROUNDS):
        for name in STREAMS:
            pusher.push(name, block if number else begin, 16000)
    pusher.push("last", block, 16000)
    listener.until(lambda message: "last" in message.header.get("streams", []))  # so all before it was taken in

    go.set()
    newest = (ROUNDS - 1) * HOP_SECONDS
    until_all_scored(listener, newest)
    dropped = {name: ROUNDS - len(listener.scores(name)) for name in STREAMS}
    assert set(dropped.values()) == {ROUNDS - ROOM}

    for name in STREAMS:
        pusher.push(name, block, 16000)
    until_all_scored(listener, newest + HOP_SECONDS)
    listener.until(lambda _: all(status_is(listener, name, ROUNDS + 1, dropped[name]) for name in STREAMS))
    told = listener.until(lambda message: message.header["kind"] == "service")
    assert told.header["dropped_patches"] == sum(dropped.values())
    assert told.header["sustainable_streams"] > 0


def until_all_scored(listener: Listener, start: float) -> None:
    """Hear until the patch that begins then was scored of each stream."""

    def is_scored(stream: str) -> bool:
        scores = listener.scores(stream)
        return bool(scores) and scores[-1].header["start"] >= start - 0.01

    listener.until(lambda _: all(map(is_scored, STREAMS)))


def status_is(listener: Listener, stream: str, patches: int, dropped: int) -> bool:
    """Tell whether the newest status of a stream counts these patches, and none that waits."""
    header = listener.of("status", stream)[-1].header
    told = header["patches"] + header["dropped_patches"], header["dropped_patches"], header["queue"]
    return bool(told == (patches, dropped, 0))
