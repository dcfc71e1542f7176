import numpy as np
import soxr
from numpy.typing import NDArray

from streamtag.audio.block import Samples
from streamtag.audio.frontend import FULL_SCALE, SAMPLE_RATE
from streamtag.errors import InputError

__all__ = ["MAX_RATE", "MIN_RATE", "Resampler", "check_samples", "to_mono", "to_mono_unchecked"]

# What recordings come with: bats at 384 kHz, DSD at some MHz; and slow ones, for there is no reason to refuse them.
MIN_RATE = 1
MAX_RATE = 100_000_000
# Of the higher rate, at a time: soxr keeps buffers of the largest portion it ever got, for each stream.
_PORTION = 2048
_FEW_CHANNELS = 7  # of more, NumPy adds up several sums
_SCALES = {**FULL_SCALE, np.dtype(np.float32): None}


def check_samples(samples: Samples) -> None:
    """Let pass what can be heard.

    Raises:
        InputError: another type than int16, int32 and float32, no channel, or more than two dimensions.
    """
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and not samples.shape[1]):
        raise InputError(f"a block has the shape [samples] or [samples, channels], not {list(samples.shape)}")
    if samples.dtype not in _SCALES:
        raise InputError(f"samples are int16, int32 or float32, not {samples.dtype}")


def to_mono(samples: Samples) -> NDArray[np.float32]:
    """Return the mean of the channels as float32 [samples] in [-1, 1], never what was lent.

    Args:
        samples: [samples] or [samples, channels]; int16 and int32 are full scale of their type, floats are taken as
            they are.

    Raises:
        InputError: as `check_samples`.
    """
    check_samples(samples)
    return to_mono_unchecked(samples, np.empty(len(samples), np.float32))


def to_mono_unchecked(samples: Samples, out: NDArray[np.float32]) -> NDArray[np.float32]:
    """Write into `out`, float32 [samples], what `to_mono` returns; `check_samples` let the samples pass."""
    scale = _SCALES[samples.dtype]
    if samples.ndim == 2 and samples.shape[1] == 1:
        samples = samples[:, 0]
    if samples.ndim == 1:
        out[...] = samples  # to convert and then to scale is faster than both in one call of NumPy
        if scale is not None:
            np.multiply(out, scale, out)
        return out
    floats = samples.astype(np.float32, order="C")  # for the mean's rounding depends on the layout
    if scale is not None:
        floats *= scale
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is the patcher's to mend
        return _mean(floats, out)


def _mean(floats: NDArray[np.float32], out: NDArray[np.float32]) -> NDArray[np.float32]:
    """Write the mean of the channels, at least 2, of float32 [samples, channels] in C order."""
    channels = floats.shape[1]
    if channels > _FEW_CHANNELS:
        return np.asarray(floats.mean(axis=1, out=out))
    # The sums of NumPy in its order, from 0 on, but a channel at a time: it takes seven times as long for short rows.
    np.add(floats[:, 0], np.float32(0), out)
    for channel in range(1, channels):
        out += floats[:, channel]
    out /= channels
    return out


class Resampler:
    """Streaming conversion of one channel by soxr, high quality; to 16 kHz, or what else a model wants.

    The samples that come out depend only on the samples that went in, to the last bit, not on how they were cut into
    blocks. They come out late by the filter's length, some tens of milliseconds; where nothing is to be converted they
    pass through.
    """

    def __init__(self, rate: int, wanted: int = SAMPLE_RATE) -> None:
        """Start a conversion from `rate` Hz to the one that is `wanted`.

        Raises:
            InputError: the rate is below 1 Hz or above 100 MHz.
        """
        if not MIN_RATE <= rate <= MAX_RATE:
            raise InputError(f"a sample rate of {rate} Hz cannot be used: it may be {MIN_RATE} to {MAX_RATE}")
        self._portion = max(1, _PORTION * rate // max(rate, wanted))
        self._stream = None if rate == wanted else soxr.ResampleStream(rate, wanted, 1, "float32", "HQ")

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is ready at the wanted rate, float32 [m], after `samples`, float32 [n]."""
        if self._stream is None:
            return samples
        firsts = range(0, max(1, len(samples)), self._portion)
        ready = [self._stream.resample_chunk(samples[first : first + self._portion]) for first in firsts]
        return np.asarray(ready[0] if len(ready) == 1 else np.concatenate(ready), np.float32)

    def finish(self) -> NDArray[np.float32]:
        """Return what the filter still holds, float32 [m]; nothing may be fed afterwards."""
        if self._stream is None:
            return np.empty(0, np.float32)
        return np.asarray(self._stream.resample_chunk(np.empty(0, np.float32), last=True), np.float32)
