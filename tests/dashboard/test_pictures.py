import io

import numpy as np
import pytest
from PIL import Image

from streamtag.dashboard.pictures import spectrogram
from tests.sounds import tone


def drawn(samples: np.ndarray, rate: int = 16000, columns: int = 100, *, is_dark: bool = False) -> np.ndarray:
    with Image.open(io.BytesIO(spectrogram(samples, rate, columns=columns, is_dark=is_dark))) as image:
        return np.asarray(image.convert("L"), np.float32)


@pytest.mark.parametrize("rate", [16000, 32000])
def test_a_tone_is_a_line_where_its_pitch_is(rate: int) -> None:
    high, low = (drawn((8000 * tone(2.0, pitch, rate)).astype(np.int16), rate) for pitch in (4000, 300))
    assert high.shape == (64, 100)
    assert high.mean(axis=1).argmin() < 20 < 45 < low.mean(axis=1).argmin()  # more sound is darker on a light page


def test_a_dark_page_has_a_dark_picture_and_a_click_shows_however_long_the_sound() -> None:
    samples = np.zeros(16000 * 30, np.int16)
    assert drawn(samples, is_dark=True).mean() < 40 < 250 < drawn(samples).mean()
    samples[80_000:80_200] = 20_000
    assert drawn(samples).min() < 120


@pytest.mark.parametrize("length", [1, 160, 15360, 15361])
def test_short_sound_is_drawn_too(length: int) -> None:
    assert drawn(np.full(length, 100, np.int16)).shape[0] == 64
