"""Streams that other programs push."""

from collections.abc import Sequence

import numpy as np

from streamtag.intake import Intake, Item, PushedStreams
from streamtag.wire.pcm_messages import PcmBlock


class Heap:
    """Takes all that is put."""

    def put(self, items: Sequence[Item], *, wait: bool = False) -> None: ...


def make_streams() -> PushedStreams:
    return PushedStreams(lambda name: Intake(name, Heap()), lambda name: None)


def sound(stream: str, seconds: float) -> PcmBlock:
    return PcmBlock(stream, np.zeros((round(16000 * seconds), 1), np.int16), 16000, None, 0.0)


def test_sound_may_wait_until_shortly_before_a_patch_can_be_complete() -> None:
    streams = make_streams()
    assert streams.rest_seconds() == 0  # nobody knows when the first comes
    streams.handle(sound("a", 0.015))
    assert 0.9 < streams.rest_seconds() < 0.975 - 0.015
    streams.handle(sound("a", 0.945))
    assert streams.rest_seconds() == 0
    streams.handle(sound("a", 0.03))  # the patch is complete, and the next one may follow at once
    assert 0 < streams.rest_seconds() < 0.1
    assert streams.rest_seconds() > 0.8


def test_sound_that_somebody_watches_waits_for_a_moment_only() -> None:
    watched: set[str] = set()
    streams = PushedStreams(lambda name: Intake(name, Heap()), lambda name: None, watched.__contains__)
    streams.handle(sound("a", 0.015))
    streams.handle(sound("b", 0.015))
    assert streams.rest_seconds() > 0.8
    watched.add("b")
    assert 0 < streams.rest_seconds() < 0.1


def test_no_sound_waits_where_there_are_many_streams() -> None:
    streams = make_streams()
    for number in range(5):
        streams.handle(sound(f"s{number}", 0.015))
    assert streams.rest_seconds() == 0
