"""What a process that receives sources is told, and what it says: see `receiver_process.py` and `receiver_pool.py`."""

from typing import Annotated, Any, Final, Literal

import numpy as np
from msgspec import Meta, Struct

from streamtag.audio.block import Block, Samples
from streamtag.process import LinkError
from streamtag.sources.source import Timeouts

__all__ = ["AHEAD", "Alive", "Close", "End", "More", "Open", "Order", "Sound", "State", "Word", "block_of", "sound_of"]

AHEAD: Final = 4
"""Blocks of a source that can wait which are on their way at most."""

_Number = Annotated[int, Meta(ge=0)]


class Open(Struct, frozen=True, tag=True):
    """Receive a source from now on; `number` is its name in all that follows."""

    number: _Number
    uri: str
    realtime: bool = False
    loop: bool = False
    rate: int | None = None
    channels: int | None = None
    sample_format: str | None = None
    ca_file: str | None = None
    leads_to: tuple[str, ...] = ()
    timeouts: Timeouts | None = None

    def options(self) -> dict[str, Any]:
        """Return the options for `open_source`."""
        names = ("realtime", "loop", "rate", "channels", "sample_format", "ca_file", "leads_to", "timeouts")
        return {name: getattr(self, name) for name in names}


class More(Struct, frozen=True, tag=True):
    """A block of a source that can wait was taken."""

    number: _Number


class Close(Struct, frozen=True, tag=True):
    """End a source."""

    number: _Number


Order = Open | More | Close


class Sound(Struct, frozen=True, tag=True):
    """A block; its samples are the bytes behind it."""

    number: _Number
    start: _Number
    rate: Annotated[int, Meta(ge=1, lt=1 << 31)]
    time: float
    channels: Annotated[int, Meta(ge=1, le=1 << 10)]
    kind: Literal["int16", "int32", "float32"]
    waits: bool
    """Whether what follows waits until this was taken."""


class State(Struct, frozen=True, tag=True):
    """A source's new state."""

    number: _Number
    state: Literal["live", "reconnecting", "stalled"]
    reason: str


class End(Struct, frozen=True, tag=True):
    """Nothing more comes of a source; None, or why it cannot be read."""

    number: _Number
    failure: str | None


class Alive(Struct, frozen=True, tag=True):
    """The thread that decodes for all sources goes on."""


Word = Sound | State | End | Alive


def sound_of(number: int, block: Block, *, waits: bool) -> tuple[Sound, Samples]:
    """Return a block as it is sent."""
    samples: Any = np.ascontiguousarray(block.samples)
    kind: Any = samples.dtype.name
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    return Sound(number, block.start, block.rate, block.time, channels, kind, waits), samples


def block_of(sound: Sound, payload: bytearray) -> Block:
    """Return a block as it was before it was sent.

    Raises:
        LinkError: the bytes are no such samples.
    """
    kind = np.dtype(sound.kind)
    if not payload or len(payload) % (kind.itemsize * sound.channels) or not np.isfinite(sound.time):
        raise LinkError("its sound is no whole number of samples")
    samples: Any = np.frombuffer(payload, kind).reshape(-1, sound.channels)
    return Block(samples, sound.start, sound.rate, sound.time)
