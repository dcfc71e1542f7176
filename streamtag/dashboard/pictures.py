"""Small pictures of sound, drawn here so that a page of many costs a browser nothing: PNG with a palette."""

import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import BANDS, HOP, PATCH_HOP, SAMPLE_RATE, log_mel
from streamtag.audio.resample import Resampler

__all__ = ["MOST_COLUMNS", "spectrogram"]

MOST_COLUMNS: Final = 1000
_QUIET: Final = np.log(0.01)
"""The least that a frame can be."""
_LOUD: Final = 1.9
# The page's own colours: see `static/palette.js`.
_DARK: Final = ((13, 18, 27), (34, 42, 92), (42, 94, 138), (37, 146, 140), (96, 200, 120), (248, 236, 130))
_LIGHT: Final = ((255, 255, 255), (216, 229, 246), (142, 182, 226), (63, 124, 190), (32, 73, 138), (16, 28, 66))
_INDEXED: Final = 3


def spectrogram(samples: NDArray[np.int16], rate: int = SAMPLE_RATE, *, columns: int, is_dark: bool) -> bytes:
    """Draw a spectrogram as PNG: time to the right, pitch upwards, more sound is a stronger colour.

    Args:
        samples: int16 [n], one channel, not empty.
        rate: samples a second.
        columns: the most pixels to the right; where there are more frames, the strongest of neighbours shows.
        is_dark: for a dark page.
    """
    if rate != SAMPLE_RATE:
        resampler = Resampler(rate)
        parts = [resampler.feed(samples.astype(np.float32)), resampler.finish()]
        samples = np.rint(np.concatenate(parts)).clip(-32768, 32767).astype(np.int16)
    frames = max(1, len(samples) // HOP)
    padded = np.zeros((len(samples) // PATCH_HOP + 1) * PATCH_HOP + HOP, np.float32)
    padded[: len(samples)] = samples / np.float32(32768)
    spectrum = log_mel(padded).reshape(-1, BANDS)[:frames]
    together = -(-frames // columns)
    if together > 1:
        starts = np.arange(0, frames, together)
        spectrum = np.maximum.reduceat(spectrum, starts, axis=0)
    steps = ((spectrum - _QUIET) * (255 / (_LOUD - _QUIET))).clip(0, 255).astype(np.uint8)
    return _png(steps.T[::-1], _palette(_DARK if is_dark else _LIGHT))


def _palette(stops: tuple[tuple[int, int, int], ...]) -> bytes:
    positions = np.linspace(0, len(stops) - 1, 256)
    parts = [np.interp(positions, np.arange(len(stops)), [stop[part] for stop in stops]) for part in range(3)]
    return bytes(np.rint(np.stack(parts, axis=1)).astype(np.uint8))


def _png(pixels: NDArray[np.uint8], palette: bytes) -> bytes:
    height, width = pixels.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = pixels
    head = struct.pack(">IIBBBBB", width, height, 8, _INDEXED, 0, 0, 0)
    parts = ((b"IHDR", head), (b"PLTE", palette), (b"IDAT", zlib.compress(bytes(rows), 6)), (b"IEND", b""))
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
