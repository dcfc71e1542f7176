"""Every message of the wire format: topics and payloads, encoding and decoding; `headers.py` holds what they say.

A message has three frames: topic (ASCII), header (UTF-8 JSON, one object) and payload (raw bytes, may be empty).
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamtag.errors import InputError, WireError
from streamtag.limits import STREAM_ID_FORM, is_stream_id
from streamtag.message_kinds import KINDS, ON_REQUEST
from streamtag.wire.headers import (
    HEADERS,
    VERSION,
    AudioHeader,
    EmbeddingHeader,
    EventHeader,
    Header,
    Histogram,
    HistoryState,
    LevelsHeader,
    ModelInfo,
    NodeInfo,
    ScoresHeader,
    ServiceHeader,
    StatusHeader,
    StreamId,
    StreamState,
    TopLabel,
)

__all__ = [
    "KINDS",
    "ON_REQUEST",
    "AudioHeader",
    "EmbeddingHeader",
    "EventHeader",
    "Header",
    "Histogram",
    "HistoryState",
    "LevelsHeader",
    "Message",
    "ModelInfo",
    "NodeInfo",
    "Outgoing",
    "ScoresHeader",
    "ServiceHeader",
    "StatusHeader",
    "StreamId",
    "StreamState",
    "TopLabel",
    "as_json",
    "audio_payload",
    "check_stream_id",
    "decode",
    "embedding_payload",
    "encode_header",
    "is_stream_id",
    "levels_payload",
    "scores_payload",
    "topic_of",
]

_FLOAT32: Final = np.dtype("<f4")
_INT16: Final = np.dtype("<i2")
_COLUMN_LOW: Final = -5.0
_COLUMN_STEPS: Final = 24.0
_ALWAYS_THERE: Final = frozenset({"v", "session", "seq", "time"})


class Outgoing(NamedTuple):
    """A message to publish: the header, which then belongs to the publisher, and the payload (see `scores_payload`)."""

    header: Header
    payload: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """A message as a subscriber gets it.

    Attributes:
        header: the header's JSON object.
        patch: scores of the patch, float32 [n] (read-only), or None where the message is not of kind "scores".
        rolling: rolling scores, float32 [n] (read-only), or None.
        missed: messages of the same topic that were lost just before this one.
        columns: spectrum, uint8 [frames, bands] (read-only), or None where the message is not of kind "levels".
        samples: sound, int16 [n] (read-only), or None where the message is not of kind "audio".
        embedding: float32 [n] (read-only), or None where the message is not of kind "embedding".
        typed: the header as the struct of its kind, without what this version does not know; None where it was not read
            from the wire.

    Example:
        >>> with streamtag.Subscriber("tcp://127.0.0.1:5556", kinds=["scores"]) as subscriber:
        ...     message = subscriber.receive(10)
        >>> message.header["kind"], message.rolling.shape, message.missed
        ('scores', (4,), 0)
    """

    header: dict[str, Any]
    patch: NDArray[np.float32] | None = None
    rolling: NDArray[np.float32] | None = None
    missed: int = 0
    columns: NDArray[np.uint8] | None = None
    samples: NDArray[np.int16] | None = None
    embedding: NDArray[np.float32] | None = None
    typed: Header | None = None


def check_stream_id(text: str) -> str:
    """Return a stream's name if it is one.

    Raises:
        InputError: it is not 1 to 64 of the characters A-Z a-z 0-9 _ . and -.
    """
    if not is_stream_id(text):
        raise InputError(f"{text[:80]!r} cannot name a stream: use {STREAM_ID_FORM}")
    return text


def topic_of(header: Header) -> bytes:
    """Build the topic frame: ``service/``, or kind, stream and a closing slash such as ``scores/porch/``."""
    stream = "" if isinstance(header, ServiceHeader) else f"{header.stream}/"
    return f"{header.kind}/{stream}".encode("ascii")


def scores_payload(scores: NDArray[np.float32]) -> bytes:
    """Turn scores [2, n] (row 0 of the patch, row 1 rolling) into a payload: float32 little-endian, C order."""
    return scores.astype(_FLOAT32, order="C", copy=False).tobytes()


def levels_payload(columns: NDArray[np.float32]) -> bytes:
    """Turn log-mel columns [frames, bands] into a payload: a byte b stands for the log-mel value b / 24 - 5."""
    steps: NDArray[np.float32] = np.rint((columns - _COLUMN_LOW) * _COLUMN_STEPS)
    return bytes(steps.clip(0, 255).astype(np.uint8))


def audio_payload(samples: NDArray[np.float32]) -> bytes:
    """Turn samples in [-1, 1], one channel, into a payload: int16 little-endian, 32767 for 1."""
    return bytes(np.rint(samples * np.float32(32767)).clip(-32768, 32767).astype(_INT16))


def embedding_payload(embedding: NDArray[np.float32]) -> bytes:
    """Turn an embedding, float32 [n], into a payload: float32 little-endian."""
    return embedding.astype(_FLOAT32, copy=False).tobytes()


def _plain_number(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a header cannot hold a {type(value).__name__}")


encode_header = msgspec.json.Encoder(enc_hook=_plain_number).encode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def decode(frames: list[bytes]) -> Message:
    """Read the three frames of a message.

    Raises:
        WireError: it is not a message of this version of the wire format.
    """
    if len(frames) != 3:
        raise WireError(f"a message has 3 frames, this one has {len(frames)}")
    topic, header_frame, payload = frames
    try:
        fields = _decode_object(header_frame)
        header = msgspec.convert(fields, HEADERS[fields["kind"]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError) as error:
        raise WireError(f"the header of {topic[:80]!r} is not of wire version {VERSION}: {error}") from error
    if not fields.keys() >= _ALWAYS_THERE:
        raise WireError(f"the header of {topic[:80]!r} lacks one of {', '.join(sorted(_ALWAYS_THERE))}")
    if topic != topic_of(header):
        raise WireError(f"the topic {topic[:80]!r} does not belong to its header ({topic_of(header)!r})")
    if isinstance(header, LevelsHeader):
        return Message(fields, columns=_columns(header, payload), typed=header)
    if isinstance(header, AudioHeader):
        return Message(fields, samples=_samples(header, payload), typed=header)
    if isinstance(header, EmbeddingHeader):
        return Message(fields, embedding=_embedding(header, payload), typed=header)
    if not isinstance(header, ScoresHeader):
        return Message(fields, typed=header)
    if len(payload) != 8 * header.n:
        raise WireError(
            f"the payload of {topic!r} has {len(payload)} bytes where {header.n} labels take {8 * header.n}"
        )
    scores = np.frombuffer(payload, _FLOAT32)
    return Message(fields, scores[: header.n], scores[header.n :], typed=header)


def _columns(header: LevelsHeader, payload: bytes) -> NDArray[np.uint8]:
    expected = header.frames * header.bands
    if len(payload) != expected:
        raise WireError(
            f"the payload of {topic_of(header)!r} has {len(payload)} bytes where its frames take {expected}"
        )
    return np.frombuffer(payload, np.uint8).reshape(header.frames, header.bands)


def _samples(header: AudioHeader, payload: bytes) -> NDArray[np.int16]:
    if len(payload) != 2 * header.samples:
        raise WireError(
            f"the payload of {topic_of(header)!r} has {len(payload)} bytes where its samples take {2 * header.samples}"
        )
    return np.frombuffer(payload, _INT16)


def _embedding(header: EmbeddingHeader, payload: bytes) -> NDArray[np.float32]:
    if len(payload) != 4 * header.n:
        raise WireError(
            f"the payload of {topic_of(header)!r} has {len(payload)} bytes where {header.n} numbers take {4 * header.n}"
        )
    return np.frombuffer(payload, _FLOAT32)


def as_json(message: Message) -> dict[str, Any]:
    """Give a message as one JSON object: the header, and its payload as lists of numbers, by the names of `Message`."""
    if message.samples is not None:
        return {**message.header, "samples": message.samples.tolist()}
    if message.embedding is not None:
        return {**message.header, "embedding": message.embedding.tolist()}
    if message.columns is not None:
        return {**message.header, "columns": message.columns.tolist()}
    if message.patch is None or message.rolling is None:
        return message.header
    return {**message.header, "patch": message.patch.tolist(), "rolling": message.rolling.tolist()}
