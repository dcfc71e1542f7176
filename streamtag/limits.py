"""What is taken from outside, each bound once: names of streams, sample rates, channels, sample formats."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

__all__ = [
    "CHANNELS",
    "PRIVATE_PREFIX",
    "RATES",
    "SAMPLE_FORMATS",
    "STREAM_ID",
    "STREAM_ID_FORM",
    "Bounds",
    "SampleFormat",
    "is_stream_id",
    "one_of",
]


class Bounds(NamedTuple):
    """The lowest and the highest of what may be."""

    low: int
    high: int

    def hold(self, value: float) -> bool:
        """Tell whether a value lies between them, or is one of them."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low} to {self.high}"


class SampleFormat(NamedTuple):
    """How a sample of one channel is written.

    Attributes:
        bytes: How many it takes.
        dtype: NumPy's type of the same bytes, None where it has none.
    """

    bytes: int
    dtype: str | None


STREAM_ID: Final = r"\A[A-Za-z0-9_.-]{1,64}\Z"
"""What the name of a stream looks like, as a pattern."""
STREAM_ID_FORM: Final = "1 to 64 letters, digits, dots, hyphens or underscores"
PRIVATE_PREFIX: Final = "browser-"
"""Streams that a page pushes under such a name are visitors' microphones: nothing of them is kept or passed on."""
RATES: Final = Bounds(8_000, 192_000)
"""Samples a second of PCM and of microphones."""
CHANNELS: Final = Bounds(1, 8)
"""Interleaved channels of PCM and of microphones."""
SAMPLE_FORMATS: Final = {
    "s16le": SampleFormat(2, "<i2"),
    "s24le": SampleFormat(3, None),
    "s32le": SampleFormat(4, "<i4"),
    "f32le": SampleFormat(4, "<f4"),
}
"""Formats of a sample in PCM, by name."""
_stream_id: Final = re.compile(STREAM_ID)


def is_stream_id(text: str) -> bool:
    """Tell whether a text can name a stream."""
    return _stream_id.match(text) is not None


def one_of(names: Iterable[str]) -> str:
    """Return the names as a sentence has them: "a", "b" or "c"."""
    *others, last = (f'"{name}"' for name in names)
    return f"{', '.join(others)} or {last}" if others else last
