"""`sources/microphone.py`: when what a device gives was captured."""

from types import SimpleNamespace

import numpy as np
import pytest

from streamtag.sources.feed import Feed, Piece
from streamtag.sources.microphone import _Callback

RATE = 16000
FRAMES = 640


class Microphone:
    """PortAudio's callback, called by a clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.feed = Feed(10.0, lambda: None, lambda: self.seconds)
        self.callback = _Callback(self.feed, RATE)
        self.heard: list[Piece] = []

    def plays(self, seconds: float, latency: float = 0.05) -> None:
        for _ in range(round(seconds * RATE / FRAMES)):
            self.seconds += FRAMES / RATE
            device = self.seconds % 97.0  # a clock of the device's own
            times = SimpleNamespace(currentTime=device, inputBufferAdcTime=device - latency - FRAMES / RATE)
            data = np.zeros((FRAMES, 1), np.float32)
            self.callback(data, FRAMES, times, SimpleNamespace(input_overflow=False))
            self.heard += self.feed.get()

    @property
    def lost(self) -> list[float]:
        return [piece.lost_seconds for piece in self.heard if piece.lost_seconds]


def test_sound_was_captured_before_it_came_by_what_the_device_says() -> None:
    microphone = Microphone()
    microphone.plays(5.0, latency=0.3)
    assert microphone.heard[-1].captured == pytest.approx(microphone.seconds - 0.3, abs=0.01)
    assert microphone.lost == []


@pytest.mark.parametrize("seconds", [3.0, 3600.0])
def test_a_machine_that_was_suspended_lost_that_time(seconds: float) -> None:
    microphone = Microphone()
    microphone.plays(5.0)
    microphone.seconds += seconds
    microphone.plays(5.0)
    assert microphone.lost == [pytest.approx(seconds, rel=0.001)]
    assert microphone.heard[-1].captured == pytest.approx(microphone.seconds - 0.05, abs=0.01)
