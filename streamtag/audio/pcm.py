"""Interleaved PCM bytes to arrays."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streamtag.errors import InputError
from streamtag.limits import SAMPLE_FORMATS

__all__ = ["decode_pcm"]

_DTYPES: Final = {name: np.dtype(form.dtype) for name, form in SAMPLE_FORMATS.items() if form.dtype}


def decode_pcm(data: bytes | memoryview, sample_format: str, channels: int) -> NDArray[Any]:
    """Read interleaved little-endian PCM.

    Args:
        data: Whole samples of all channels.
        sample_format: A key of `limits.SAMPLE_FORMATS`.
        channels: Number of interleaved channels.

    Returns:
        [n, channels]: int16 for s16le, int32 for s24le (in the upper 24 bits) and s32le, float32 for f32le. It may be
        a read-only view of `data`.

    Raises:
        InputError: The size is not a multiple of a sample of all channels.
    """
    frame_bytes = SAMPLE_FORMATS[sample_format].bytes * channels
    count, rest = divmod(len(data), frame_bytes)
    if rest:
        raise InputError(
            f"{len(data)} bytes of PCM are not whole samples: {channels} channels of {sample_format} take {frame_bytes}"
        )
    if sample_format == "s24le":
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return wide.view("<i4").reshape(-1, channels)
    return np.ndarray((count, channels), _DTYPES[sample_format], data)
