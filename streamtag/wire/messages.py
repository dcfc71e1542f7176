"""Every message of the wire format, defined once: headers, topics, payloads, encoding and decoding.

A message has three frames: topic (ASCII), header (UTF-8 JSON, one object) and payload (raw bytes, may be empty).
``docs/wire.md`` describes them for programs in any language.
"""

import re
import time
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamtag.errors import InputError, WireError

__all__ = [
    "KINDS",
    "ON_REQUEST",
    "EventHeader",
    "Header",
    "Histogram",
    "HistoryState",
    "LevelsHeader",
    "Message",
    "Outgoing",
    "ScoresHeader",
    "ServiceHeader",
    "StatusHeader",
    "StreamState",
    "TopLabel",
    "as_json",
    "check_stream_id",
    "decode",
    "encode_header",
    "is_stream_id",
    "levels_payload",
    "scores_payload",
    "topic_of",
]

VERSION: Final = 1
STREAM_ID_PATTERN: Final = r"^[A-Za-z0-9_.-]{1,64}\Z"

StreamId = Annotated[str, msgspec.Meta(pattern=STREAM_ID_PATTERN)]
StreamState = Literal["starting", "live", "paused", "reconnecting", "stalled", "ended", "failed"]
_Session = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}\Z")]
_Count = Annotated[int, msgspec.Meta(ge=0)]

_FLOAT32: Final = np.dtype("<f4")
_COLUMN_LOW: Final = -5.0
_COLUMN_STEPS: Final = 24.0
_stream_id = re.compile(STREAM_ID_PATTERN)


class TopLabel(msgspec.Struct, gc=False):
    """One of the labels with the highest rolling score."""

    label: str
    score: float


class _Header(msgspec.Struct, kw_only=True, gc=False):
    """What every header holds.

    Attributes:
        v: Version of the wire format.
        session: 8 hex digits, new at each start of the service; the publisher fills it in.
        seq: Place among the messages of its topic in this session, from 0; the publisher fills it in.
        time: Unix seconds at which the message was made; of scores: at which the patch's last sample was captured.
    """

    v: Literal[1] = VERSION
    session: _Session = ""
    seq: _Count = 0
    time: float = msgspec.field(default_factory=time.time)


class ScoresHeader(_Header, kw_only=True, gc=False):
    """Scores of one patch and the rolling scores up to it; the payload comes from `scores_payload`.

    Attributes:
        start: Stream seconds of the patch's first sample.
        end: `start` + 0.96.
        n: Number of labels.
        rolling: Number of patches in the rolling mean.
        rms_dbfs: Level of the patch; a full-scale square wave has 0, digital silence -120.
        peak_dbfs: Highest absolute sample, on the same scale.
        lost_samples: 16 kHz samples that the stream has lost since it began, short rests not scored included.
        top: Up to five labels with the highest rolling scores, highest first.
    """

    kind: Literal["scores"] = "scores"
    stream: StreamId
    start: float
    end: float
    model: str
    labels_hash: str
    n: _Count
    rolling: _Count
    rms_dbfs: float
    peak_dbfs: float
    lost_samples: _Count
    top: list[TopLabel]


class EventHeader(_Header, kw_only=True, gc=False):
    """Onset (`state` "on") or end (`state` "off") of a labelled event; both carry the same `id`.

    Attributes:
        onset: Stream seconds at which it began.
        offset: Stream seconds at which it ended, None while it lasts.
        onset_time: Unix seconds at which it began, the same in both; None from a service of before there was this.
        offset_time: Unix seconds at which it ended, None while it lasts.
    """

    kind: Literal["event"] = "event"
    stream: StreamId
    id: _Count
    label: str
    index: _Count
    state: str
    onset: float
    offset: float | None
    peak: float
    onset_time: float | None = None
    offset_time: float | None = None


class StatusHeader(_Header, kw_only=True, gc=False):
    """State of one stream; `since` in Unix seconds, `source` without secrets, `queue` in patches that wait.

    `state` is a `StreamState`; a reader takes others too, which a later version may add. `faults` counts messages with
    its PCM that could not be used.

    Attributes:
        paused: Whether it is not scored because its hours or somebody say so, whatever its state is; the state is
            "paused" where it would be "live" otherwise.
        paused_seconds: How much of its sound was not scored for that since it began.
    """

    kind: Literal["status"] = "status"
    stream: StreamId
    state: str
    reason: str
    since: float
    source: str
    rate: _Count
    channels: _Count
    patches: _Count
    dropped_patches: _Count
    lost_samples: _Count
    queue: _Count
    faults: _Count = 0
    paused: bool = False
    paused_seconds: float = 0.0


class HistoryState(msgspec.Struct, gc=False):
    """How the history fares.

    Attributes:
        state: `kept`; `waiting`: it cannot be written now and is tried again; `refused`: the file cannot be used as it
            is, and nothing is kept.
        reason: Why it is not kept.
        dropped: Onsets and ends that could not be kept since the start.
    """

    state: str
    reason: str = ""
    dropped: _Count = 0


class Histogram(msgspec.Struct, gc=False):
    """Values counted by class.

    Attributes:
        bounds: Highest value of each class but the last, ascending.
        counts: How many values are in each, those of the class before it left out; one more than `bounds`.
        sum: Of all values.
    """

    bounds: list[float]
    counts: list[_Count]
    sum: float


class ServiceHeader(_Header, kw_only=True, gc=False):
    """State of the whole service; `sustainable_streams` is None until known, `uptime` in seconds.

    Attributes:
        input: The endpoint at which it takes PCM, None where it takes none.
        pcm_faults: Messages with PCM that could not be used, also those of no stream.
        dropped_messages: Messages that were never sent because too many waited to be.
        history: How the history fares, None where none is kept.
        restarts: Parts of the service that failed and were begun anew: how often, by name.
        states: How many of `streams` are in which state, those in `private` left out.
        private: Those of `streams` that are a visitor's own microphone: no history has them, the page shows them to
            nobody else.
        measures: Of all patches since the start: `batch_patches`, `inference_seconds` (front end and network, a batch)
            and `publish_delay_seconds` (from a patch's last sample to its message).
    """

    kind: Literal["service"] = "service"
    version: str
    model: str
    runtime: str
    labels: list[str]
    labels_hash: str
    streams: list[StreamId]
    patches: _Count
    dropped_patches: _Count
    sustainable_streams: int | None
    uptime: float
    input: str | None = None
    pcm_faults: _Count = 0
    dropped_messages: _Count = 0
    history: HistoryState | None = None
    restarts: dict[str, int] = {}
    states: dict[str, int] = {}
    private: list[StreamId] = []
    measures: dict[str, Histogram] = {}


class LevelsHeader(_Header, kw_only=True, gc=False):
    """Level and spectrum of a stretch of a stream, made only while somebody subscribes to it; see `levels_payload`.

    Attributes:
        start: Stream seconds of the stretch's first sample.
        end: Stream seconds after its last.
        rms_dbfs: Level of the stretch; a full-scale square wave has 0, digital silence -120.
        peak_dbfs: Highest absolute sample, on the same scale.
        frames: Log-mel frames of 10 ms in the payload, the first at `start`.
        bands: Mel bands of a frame.
    """

    kind: Literal["levels"] = "levels"
    stream: StreamId
    start: float
    end: float
    rms_dbfs: float
    peak_dbfs: float
    frames: _Count
    bands: _Count


Header = ScoresHeader | EventHeader | StatusHeader | ServiceHeader | LevelsHeader

_ALWAYS_THERE: Final = frozenset({"v", "session", "seq", "time"})
_HEADERS: Final[dict[object, type[Header]]] = {
    "scores": ScoresHeader,
    "event": EventHeader,
    "status": StatusHeader,
    "service": ServiceHeader,
    "levels": LevelsHeader,
}
KINDS: Final = ("scores", "event", "status", "service")
ON_REQUEST: Final = ("levels",)
"""Kinds that a service makes only for those who name them."""


class Outgoing(NamedTuple):
    """A message to publish: the header, which then belongs to the publisher, and the payload (see `scores_payload`)."""

    header: Header
    payload: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """A message as a subscriber gets it.

    Attributes:
        header: The header's JSON object.
        patch: Scores of the patch, float32 [n] (read-only), or None where the message is not of kind "scores".
        rolling: Rolling scores, float32 [n] (read-only), or None.
        missed: Messages of the same topic that were lost just before this one.
        columns: Spectrum, uint8 [frames, bands] (read-only), or None where the message is not of kind "levels".
        typed: The header as the struct of its kind, without what this version does not know; None where it was not read
            from the wire.
    """

    header: dict[str, Any]
    patch: NDArray[np.float32] | None = None
    rolling: NDArray[np.float32] | None = None
    missed: int = 0
    columns: NDArray[np.uint8] | None = None
    typed: Header | None = None


def is_stream_id(text: str) -> bool:
    """Tell whether a text can name a stream: 1 to 64 of the characters A-Z a-z 0-9 _ . and -."""
    return _stream_id.match(text) is not None


def check_stream_id(text: str) -> str:
    """Return a stream's name if it is one.

    Raises:
        InputError: It is not 1 to 64 of the characters A-Z a-z 0-9 _ . and -.
    """
    if not is_stream_id(text):
        raise InputError(f"{text[:80]!r} cannot name a stream: use 1 to 64 of the characters A-Z a-z 0-9 _ . -")
    return text


def topic_of(header: Header) -> bytes:
    """Build the topic frame: ``service/``, or kind, stream and a closing slash such as ``scores/porch/``."""
    if isinstance(header, ServiceHeader):
        return b"service/"
    return f"{header.kind}/{header.stream}/".encode("ascii")


def scores_payload(scores: NDArray[np.float32]) -> bytes:
    """Turn scores [2, n] (row 0 of the patch, row 1 rolling) into a payload: float32 little-endian, C order."""
    return scores.astype(_FLOAT32, order="C", copy=False).tobytes()


def levels_payload(columns: NDArray[np.float32]) -> bytes:
    """Turn log-mel columns [frames, bands] into a payload: a byte b stands for the log-mel value b / 24 - 5."""
    steps: NDArray[np.float32] = np.rint((columns - _COLUMN_LOW) * _COLUMN_STEPS)
    return bytes(steps.clip(0, 255).astype(np.uint8))


def _plain_number(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a header cannot hold a {type(value).__name__}")


encode_header = msgspec.json.Encoder(enc_hook=_plain_number).encode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def decode(frames: list[bytes]) -> Message:
    """Read the three frames of a message.

    Raises:
        WireError: It is not a message of this version of the wire format.
    """
    if len(frames) != 3:
        raise WireError(f"a message has 3 frames, this one has {len(frames)}")
    topic, header_frame, payload = frames
    try:
        fields = _decode_object(header_frame)
        header = msgspec.convert(fields, _HEADERS[fields["kind"]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError) as error:
        raise WireError(f"the header of {topic[:80]!r} is not of wire version {VERSION}: {error}") from error
    if not fields.keys() >= _ALWAYS_THERE:
        raise WireError(f"the header of {topic[:80]!r} lacks one of {', '.join(sorted(_ALWAYS_THERE))}")
    if topic != topic_of(header):
        raise WireError(f"the topic {topic[:80]!r} does not belong to its header ({topic_of(header)!r})")
    if isinstance(header, LevelsHeader):
        return Message(fields, columns=_columns(header, payload), typed=header)
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


def as_json(message: Message) -> dict[str, Any]:
    """Give a message as one JSON object: the header, and as lists of numbers "patch" and "rolling", or "columns"."""
    if message.columns is not None:
        return {**message.header, "columns": message.columns.tolist()}
    if message.patch is None or message.rolling is None:
        return message.header
    return {**message.header, "patch": message.patch.tolist(), "rolling": message.rolling.tolist()}
