"""Sound of a model of another rate, brought to 16 kHz for what is made of that."""

import numpy as np
import pytest
from numpy.typing import NDArray

from streamtag.engine.taps import Converted

Heard = list[tuple[int, NDArray[np.float32], float]]


def test_the_place_and_the_time_of_what_comes_out_are_those_of_the_sound() -> None:
    heard: Heard = []
    converted = Converted(lambda *each: heard.append(each), lambda: True, 48000)
    seconds = np.arange(2 * 48000) / 48000
    sound = np.sin(2 * np.pi * 500 * seconds).astype(np.float32)
    for start in range(0, len(sound), 4800):
        converted.add_samples(48000 + start, sound[start : start + 4800], 101.0 + (start + 4800) / 48000)
    place = 16000
    for start, samples, captured in heard:
        assert start == place
        place += len(samples)
        assert captured == pytest.approx(100.0 + place / 16000, abs=1e-3)
    whole = np.concatenate([samples for _, samples, _ in heard])
    assert len(whole) > 31000
    np.testing.assert_allclose(whole[1600:], np.sin(2 * np.pi * 500 * np.arange(len(whole)) / 16000)[1600:], atol=2e-3)


def test_a_jump_begins_anew_and_nothing_is_done_while_nobody_looks() -> None:
    heard: Heard = []
    wanted = [True]
    converted = Converted(lambda *each: heard.append(each), lambda: wanted[0], 8000)
    sound = np.zeros(8000, np.float32)
    converted.add_samples(0, sound, 1.0)
    converted.add_samples(80_000, sound, 11.0)
    wanted[0] = False
    converted.add_samples(88_000, sound, 12.0)
    assert [start for start, _, _ in heard] == [0, 160_000]
