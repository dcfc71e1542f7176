"""What comes in over ZeroMQ from other programs, decoded and checked: sound, and requests to pause a stream."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from numpy.typing import NDArray

from streamtag.audio.pcm import decode_pcm
from streamtag.errors import InputError
from streamtag.limits import CHANNELS, RATES, SAMPLE_FORMATS, is_stream_id
from streamtag.wire.headers import StreamId

__all__ = [
    "MAX_PAYLOAD_BYTES",
    "PauseRequest",
    "PcmBlock",
    "PcmEnd",
    "PcmFault",
    "PcmHeader",
    "PcmInput",
    "decode_message",
]

MAX_PAYLOAD_BYTES: Final = 1 << 20
_MAX_HEADER_BYTES: Final = 4096
_MAX_START: Final = 1 << 53  # the largest count that every JSON library keeps exactly


class PcmHeader(msgspec.Struct, kw_only=True, gc=False):
    """Header of a message with sound; unknown keys are ignored.

    Attributes:
        v: Version of the wire format.
        stream: Name of the stream, which its first message makes.
        rate: Samples a second.
        channels: Number of interleaved channels.
        format: Sample format of the payload, little-endian.
        start: Index of the first sample, counted in `rate` from the stream's first sample, or None where the sender
            does not count: then the block follows the one before it.
        end: The stream ends here; such a message has no payload.
    """

    v: Literal[1]
    stream: StreamId
    rate: Annotated[int, msgspec.Meta(ge=RATES.low, le=RATES.high)]
    channels: Annotated[int, msgspec.Meta(ge=CHANNELS.low, le=CHANNELS.high)]
    format: Annotated[str, msgspec.Meta(pattern=rf"\A(?:{'|'.join(SAMPLE_FORMATS)})\Z")]
    start: Annotated[int, msgspec.Meta(ge=0, le=_MAX_START)] | None = None
    end: bool = False


class _EndHeader(msgspec.Struct, kw_only=True, gc=False):
    """Header that ends a stream and need not name a format."""

    v: Literal[1]
    stream: StreamId
    end: Literal[True]


class _PauseHeader(msgspec.Struct, kw_only=True, gc=False):
    """Header of a message without sound that asks for a stream not to be scored, or to be scored again."""

    v: Literal[1]
    stream: StreamId
    pause: bool


class PcmBlock(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Sound of one message.

    Attributes:
        stream: Name of the stream.
        samples: int16, int32 or float32 [n, channels], integers at the full scale of their type.
        rate: Samples a second.
        start: Index of the first sample, counted in `rate` from the stream's first sample, or None: follows the last.
        time: Unix seconds at which the message came in.
        sender: Name of the key with which it came, empty where the service asks for none.
    """

    stream: str
    samples: NDArray[Any]
    rate: int
    start: int | None
    time: float
    sender: str = ""


@dataclass(frozen=True, slots=True)
class PcmEnd:
    """The sender says that the stream is over."""

    stream: str
    sender: str = ""


@dataclass(frozen=True, slots=True)
class PcmFault:
    """A message that cannot be used, and why; `stream` is None where its name could not be read."""

    stream: str | None
    reason: str
    sender: str = ""


@dataclass(frozen=True, slots=True)
class PauseRequest:
    """Asks for any stream not to be scored, or to be scored again."""

    stream: str
    is_paused: bool
    sender: str = ""


PcmInput = PcmBlock | PcmEnd | PcmFault | PauseRequest

# deeply nested JSON ends in a RecursionError
_NOT_A_HEADER: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode_header = msgspec.json.Decoder(PcmHeader).decode
_decode_pause = msgspec.json.Decoder(_PauseHeader).decode
_decode_end = msgspec.json.Decoder(_EndHeader).decode


def decode_message(frames: Sequence[bytes | memoryview], sender: str = "") -> PcmInput:
    """Read the frames of a message; whatever they hold, the answer is a block, an end, a request or a fault.

    A block's samples may be a view of the second frame. `sender` goes into the answer.
    """
    if len(frames) != 2:
        reason = f"a message has 2 frames, header and PCM, not {len(frames)}"
        return PcmFault(_readable_stream(frames[0]), reason, sender)
    header_frame, payload = frames
    if len(header_frame) > _MAX_HEADER_BYTES:
        return PcmFault(None, f"a header of {len(header_frame)} bytes; at most {_MAX_HEADER_BYTES}", sender)
    try:
        header = _decode_header(header_frame)
    except _NOT_A_HEADER as error:
        return _without_format(header_frame, payload, str(error), sender)
    if header.end:
        return _end(header.stream, payload, sender)
    size = len(payload)
    if not size:
        return PcmFault(header.stream, 'the PCM frame is empty; only {"end": true} has none', sender)
    if size > MAX_PAYLOAD_BYTES:
        return PcmFault(header.stream, f"{size} bytes of PCM in one message; at most {MAX_PAYLOAD_BYTES}", sender)
    try:
        samples = decode_pcm(payload, header.format, header.channels)
    except InputError as error:
        return PcmFault(header.stream, str(error), sender)
    return PcmBlock(header.stream, samples, header.rate, header.start, time.time(), sender)


def encode_header(stream: str, rate: int, channels: int, sample_format: str, start: int | None) -> bytes:
    """Build the header frame of a message with sound."""
    fields = {"v": 1, "stream": stream, "rate": rate, "channels": channels, "format": sample_format, "start": start}
    return msgspec.json.encode(fields)


def encode_end(stream: str) -> bytes:
    """Build the header frame of the message that ends a stream."""
    return msgspec.json.encode({"v": 1, "stream": stream, "end": True})


def encode_pause(stream: str, *, is_paused: bool) -> bytes:
    """Build the header frame of the message that asks for a stream not to be scored, or to be scored again."""
    return msgspec.json.encode({"v": 1, "stream": stream, "pause": is_paused})


def _without_format(
    header_frame: bytes | memoryview, payload: bytes | memoryview, reason: str, sender: str
) -> PcmInput:
    if "pause" in _fields(header_frame):
        return _pause(header_frame, payload, sender)
    try:
        header = _decode_end(header_frame)
    except _NOT_A_HEADER:
        return PcmFault(_readable_stream(header_frame), f"bad header: {reason[:200]}", sender)
    return _end(header.stream, payload, sender)


def _pause(header_frame: bytes | memoryview, payload: bytes | memoryview, sender: str) -> PcmInput:
    try:
        header = _decode_pause(header_frame)
    except _NOT_A_HEADER as error:
        return PcmFault(_readable_stream(header_frame), f"bad header: {str(error)[:200]}", sender)
    if payload:
        reason = f"a message that pauses a stream has an empty second frame, not {len(payload)} bytes"
        return PcmFault(header.stream, reason, sender)
    return PauseRequest(header.stream, header.pause, sender)


def _end(stream: str, payload: bytes | memoryview, sender: str) -> PcmInput:
    if payload:
        reason = f"a message that ends a stream has an empty second frame, not {len(payload)} bytes"
        return PcmFault(stream, reason, sender)
    return PcmEnd(stream, sender)


def _readable_stream(header_frame: bytes | memoryview) -> str | None:
    """Find the stream's name in a header that is otherwise wrong, so that the fault can be told to its owner."""
    if len(header_frame) > _MAX_HEADER_BYTES:
        return None
    stream = _fields(header_frame).get("stream")
    return stream if isinstance(stream, str) and is_stream_id(stream) else None


def _fields(header_frame: bytes | memoryview) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(header_frame)
    except _NOT_A_HEADER:
        return {}
    return fields if isinstance(fields, dict) else {}
