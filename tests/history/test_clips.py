"""Clips are the sound that the model heard, at its rate, whatever its windows are."""

import numpy as np
import pytest

from streamtag.audio import LOG_MEL_GEOMETRY, Block, Geometry, Patcher
from streamtag.history.clips import ClipCutter


@pytest.mark.parametrize(
    "geometry",
    [LOG_MEL_GEOMETRY, Geometry(32000, 96000, 96000), Geometry(48000, 240_000, 24_000), Geometry(8000, 4000, 3000)],
    ids=str,
)
def test_a_clip_is_the_sound_around_the_onset(geometry: Geometry) -> None:
    rate = geometry.rate
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 20 * rate).astype(np.float32)
    cutter, clips = ClipCutter(2.0), []
    for patch in Patcher(geometry).feed(Block(sound, 0, rate, 0.0)):
        clips += list(cutter.patch("yard", patch))
        if patch.start_seconds <= 6.0 < patch.end_seconds:
            cutter.want("yard", 7, patch.start_seconds)
            onset = patch.start_seconds
    (clip,) = clips
    first = round(onset * rate) - rate // 2
    assert (clip.token, clip.rate) == (7, rate)
    np.testing.assert_array_equal(clip.samples, np.rint(sound[first : first + 2 * rate] * 32767).astype(np.int16))


def test_what_a_model_did_not_hear_is_silent_in_a_clip() -> None:
    geometry = Geometry(8000, 4000, 8000)
    cutter, clips = ClipCutter(2.0), []
    for patch in Patcher(geometry).feed(Block(np.full(80_000, 0.5, np.float32), 0, 8000, 0.0)):
        clips += list(cutter.patch("yard", patch))
        if patch.start == 24_000:
            cutter.want("yard", 0, patch.start_seconds)
    (clip,) = clips
    heard = clip.samples != 0
    assert heard[4000:8000].all()
    assert not heard[:4000].any()
    assert heard.mean() == pytest.approx(0.5)
