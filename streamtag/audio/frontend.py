"""The front end: 16 kHz mono waveform to log-mel patches of 96 frames by 64 bands.

Parameters as in Hershey et al., "CNN Architectures for Large-Scale Audio Classification" (ICASSP 2017), section 3.1,
and in the VGGish release of AudioSet: 25 ms periodic Hann window, 10 ms hop, 64 HTK mel bands, natural logarithm.
"""

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtag.audio.spectrum import BLOCK, Matrices, Spectra, bins
from streamtag.audio.spectrum import FFT as FFT
from streamtag.errors import InputError

SAMPLE_RATE = 16000
WINDOW = 400
HOP = 160
BANDS = 64
FRAMES = 96
LOW_HZ = 125.0
HIGH_HZ = 7500.0
LOG_OFFSET = 0.01
# Neighbouring bands share few bins: products of these sizes cost less than half of a single one, and stay below the
# size from which OpenBLAS wakes its threads, which would spin on other cores.
_BAND_GROUPS = (0, 32, 48, 64)
# As arrays, because NumPy would make one of a number each time.
FULL_SCALE = {
    np.dtype(np.int16): np.array(1 / 2**15, np.float32),
    np.dtype(np.int32): np.array(1 / 2**31, np.float32),
}
"""By the type of samples that are whole numbers, what they are multiplied by to be in [-1, 1]."""
PATCH_HOP = FRAMES * HOP
"""Samples from one patch's start to the next one's: 15 360, which is 960 ms."""
PATCH_SAMPLES = (FRAMES - 1) * HOP + WINDOW
"""Samples that a patch's 96 frames cover: 15 600; its last 240 also begin the next patch."""


def parameters() -> dict[str, Any]:
    """Return every parameter of the front end by name, as a bundle's manifest stores them."""
    return {
        "sample_rate": SAMPLE_RATE,
        "window_samples": WINDOW,
        "window": "hann_periodic",
        "hop_samples": HOP,
        "fft_length": FFT,
        "spectrum": "magnitude",
        "mel_bands": BANDS,
        "mel_scale": "htk",
        "low_hz": LOW_HZ,
        "high_hz": HIGH_HZ,
        "log": "natural",
        "log_offset": LOG_OFFSET,
        "frames": FRAMES,
        "patch_hop_samples": PATCH_HOP,
    }


def hann() -> NDArray[np.float64]:
    """Return the periodic Hann window, float64 [400]."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)


def mel_weights() -> NDArray[np.float64]:
    """Return the mel filter bank, float64 [257, 64].

    Triangles are straight lines in mel (HTK: 1127 ln(1 + f / 700)) with peak 1 and no area normalisation; the
    constant bin has weight 0.
    """

    def mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return np.asarray(1127.0 * np.log1p(np.asarray(hertz, np.float64) / 700.0))

    bins = mel(np.linspace(0.0, SAMPLE_RATE / 2, FFT // 2 + 1))[:, None]
    edges = np.linspace(mel(LOW_HZ), mel(HIGH_HZ), BANDS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(0.0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    weights[0] = 0.0
    return weights


@cache
def _matrices() -> Matrices:
    return Matrices(hann())


@cache
def _band_groups() -> list[tuple[slice, slice, NDArray[np.float32]]]:
    """For each group of bands: the rows of the spectrum that it needs, the bands, and the weights of both."""
    weights = mel_weights()[bins()].astype(np.float32)
    groups = []
    for first, last in pairwise(_BAND_GROUPS):
        rows = np.flatnonzero(weights[:, first:last].any(axis=1)) // BLOCK
        part = slice(int(rows[0]) * BLOCK, (int(rows[-1]) + 1) * BLOCK)
        groups.append((part, slice(first, last), weights[part, first:last].copy()))
    return groups


class FrontEnd:
    """Log-mel of one patch after another, in memory of its own that is made once; for use by one thread.

    One patch at a time keeps every stage within the processor's cache.
    """

    def __init__(self, frames: int = FRAMES, log_offset: float = LOG_OFFSET) -> None:
        """Make the memory for `frames` frames at a time: a patch's, or those of a shorter stretch.

        Args:
            frames: how many.
            log_offset: what is added before the logarithm.
        """
        self._offset = np.float32(log_offset)
        self._spectra = Spectra(_matrices(), HOP, frames)
        self._groups = _band_groups()

    def log_mel(self, window: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write the log-mel spectrum of one patch into `out`.

        Args:
            window: float32 [15600], mono at 16 kHz, contiguous.
            out: float32 [96, 64], ln(mel magnitude + the offset).
        """
        magnitudes = self._spectra.magnitudes(window)
        for rows, bands, weights in self._groups:
            np.matmul(magnitudes[rows].T, weights, out=out[:, bands])
        np.add(out, self._offset, out=out)
        np.log(out, out=out)


def log_mel_windows(
    windows: NDArray[np.float32], out: NDArray[np.float32] | None = None, log_offset: float = LOG_OFFSET
) -> NDArray[np.float32]:
    """Return one log-mel patch for each window of samples.

    Args:
        windows: float32 [n, 15600], mono at 16 kHz, each row contiguous.
        out: float32 [n, 96, 64] to write into; made when absent.
        log_offset: what is added before the logarithm.

    Returns:
        float32 [n, 96, 64], ln(mel magnitude + the offset).
    """
    if out is None:
        out = np.empty((len(windows), FRAMES, BANDS), np.float32)
    front_end = FrontEnd(log_offset=log_offset)
    for window, patch in zip(windows, out, strict=True):
        front_end.log_mel(window, patch)
    return out


def count_patches(samples: int) -> tuple[int, bool]:
    """Return how many whole patches a recording of `samples` samples holds, and whether its tail makes one more.

    A tail is padded with zeros to a patch when it lasts at least half a patch; a recording shorter than a patch
    always gives one.
    """
    whole = 0 if samples < PATCH_SAMPLES else 1 + (samples - PATCH_SAMPLES) // PATCH_HOP
    tail = samples - whole * PATCH_HOP
    return whole, samples > 0 and (whole == 0 or 2 * tail >= PATCH_HOP)


def log_mel(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut a recording into non-overlapping 960 ms patches and return their log-mel spectra.

    Frame f covers samples 160 f to 160 f + 399 and patch k is frames 96 k to 96 k + 95. A tail that fills no patch is
    padded with zeros when it lasts at least half a patch, else left out; a recording shorter than a patch gives one
    padded patch.

    Args:
        waveform: [samples], mono at 16 kHz: floats in [-1, 1], or int16 or int32, whose full scale becomes that range.

    Returns:
        float32 [patches, 96, 64].

    Raises:
        InputError: the waveform is empty, has more than one dimension or samples of another type, or holds values that
            are not finite.

    Example:
        >>> ten_seconds = np.zeros(160_000, np.float32)
        >>> streamtag.log_mel(ten_seconds).shape
        (10, 96, 64)
    """
    waveform = np.asarray(waveform)
    if waveform.dtype.kind != "f" and waveform.dtype not in FULL_SCALE:
        raise InputError(f"log_mel takes samples as floats in [-1, 1], int16 or int32, not {waveform.dtype}")
    scale = FULL_SCALE.get(waveform.dtype)
    waveform = np.ascontiguousarray(waveform, np.float32)
    if scale is not None:
        waveform = waveform * scale
    if waveform.ndim != 1:
        raise InputError(f"log_mel takes one channel [samples], not an array of shape {waveform.shape}: take the mean")
    if not len(waveform):
        raise InputError("log_mel was given an empty waveform: there is nothing to tag")
    if not np.isfinite(waveform).all():
        raise InputError("log_mel was given samples that are not finite: replace NaN and infinity first")
    whole, padded = count_patches(len(waveform))
    patches = np.empty((whole + padded, FRAMES, BANDS), np.float32)
    if whole:
        windows = np.lib.stride_tricks.sliding_window_view(waveform, PATCH_SAMPLES)[::PATCH_HOP]
        log_mel_windows(windows[:whole], patches[:whole])
    if padded:
        tail = np.zeros((1, PATCH_SAMPLES), np.float32)
        rest = waveform[whole * PATCH_HOP :]
        tail[0, : len(rest)] = rest
        log_mel_windows(tail, patches[whole:])
    return patches
