"""Interleaved PCM bytes to arrays."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streamtag.errors import InputError

__all__ = ["SAMPLE_BYTES", "decode_pcm"]

SAMPLE_BYTES: Final = {"s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4}
"""Bytes of one sample of one channel, by sample format."""
_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "s16le": np.dtype("<i2"),
    "s32le": np.dtype("<i4"),
    "f32le": np.dtype("<f4"),
}


def decode_pcm(data: bytes | memoryview, sample_format: str, channels: int) -> NDArray[Any]:
    """Read interleaved little-endian PCM.

    Args:
        data: Whole samples of all channels.
        sample_format: A key of `SAMPLE_BYTES`.
        channels: Number of interleaved channels.

    Returns:
        [n, channels]: int16 for s16le, int32 for s24le (in the upper 24 bits) and s32le, float32 for f32le. It may be
        a read-only view of `data`.

    Raises:
        InputError: The size is not a multiple of a sample of all channels.
    """
    frame_bytes = SAMPLE_BYTES[sample_format] * channels
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
