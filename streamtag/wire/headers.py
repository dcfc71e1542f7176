"""Every header of the wire format, defined once.

``docs/wire.md`` describes them for programs in any language.
"""

import time
from typing import Annotated, Final, Literal, get_args

import msgspec

from streamtag.limits import STREAM_ID

__all__ = [
    "HEADERS",
    "AudioHeader",
    "EmbeddingHeader",
    "EventHeader",
    "Header",
    "Histogram",
    "HistoryState",
    "LevelsHeader",
    "ModelInfo",
    "NodeInfo",
    "ScoresHeader",
    "ServiceHeader",
    "StatusHeader",
    "StreamId",
    "StreamState",
    "TopLabel",
]

VERSION: Final = 1

StreamId = Annotated[str, msgspec.Meta(pattern=STREAM_ID)]
StreamState = Literal["starting", "live", "paused", "reconnecting", "stalled", "ended", "failed"]
_Session = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}\Z")]
_Count = Annotated[int, msgspec.Meta(ge=0)]


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
        end: Where the next patch begins: `start` + 0.96, or what the model's hop is.
        n: Number of labels.
        rolling: Number of patches in the rolling mean.
        rms_dbfs: Level of the patch; a full-scale square wave has 0, digital silence -120.
        peak_dbfs: Highest absolute sample, on the same scale.
        lost_samples: Of 16 kHz, whatever the model's rate: what the stream has lost, short rests not scored included.
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
        model: Of the service's `models`, the name of the one that scores it.
        patch_seconds: From one of its patches to the next.
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
    model: str = "default"
    patch_seconds: float = 0.96


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


class ModelInfo(msgspec.Struct, gc=False):
    """A model of a service.

    Attributes:
        bundle: Name of its bundle, which `scores` messages carry as `model`.
        runtime: What runs it: library, device and precision.
        labels: All names, in the order of its scores.
        labels_hash: SHA-256 of the names, one a line.
        rate: Samples a second of what it hears.
        samples: In one of its windows.
        hop: Samples from one window to the next.
        streams: How many it scores.
        patches: Windows that it scored since the start.
        bad_patches: Of those, the ones of which it gave a score that is no number; it was taken as 0.
        load: The share of one core that front end and network took of late.
        memory_bytes: What opening it took of the machine's memory.
    """

    bundle: str
    runtime: str
    labels: list[str]
    labels_hash: str
    rate: _Count = 16_000
    samples: _Count = 15_600
    hop: _Count = 15_360
    streams: _Count = 0
    patches: _Count = 0
    bad_patches: _Count = 0
    load: float = 0.0
    memory_bytes: _Count = 0


class NodeInfo(msgspec.Struct, gc=False):
    """A node of a fleet.

    Attributes:
        name: Ray's id of it, shortened.
        endpoint: Where its own service publishes.
        state: `starting`, `live`, `slow` (it has more streams than it carries), `lost` or `failed`.
        reason: Why it is not live.
        streams: How many it scores.
        room: How many it is given at most.
        sustainable_streams: How many it could score as they come, None until known.
        patches: What its service has scored since its start.
        dropped_patches: What its service could not.
        restarts: How often its service was started again.
    """

    name: str
    endpoint: str
    state: str
    reason: str
    streams: _Count
    room: _Count
    sustainable_streams: int | None
    patches: _Count
    dropped_patches: _Count
    restarts: _Count = 0


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
        models: All models, by the names under which streams refer to them; `default` is the one that `model`,
            `runtime`, `labels` and `labels_hash` tell of.
        nodes: Of a fleet, its nodes; counts and states are those of all of them then.
        homeless: Streams of a fleet that no node scores now.
        processes: How many processes score now; 1 where the service does so by itself.
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
    models: dict[str, ModelInfo] = {}
    nodes: list[NodeInfo] = []
    homeless: list[StreamId] = []
    processes: _Count = 1


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


class AudioHeader(_Header, kw_only=True, gc=False):
    """Sound of a stream as the model hears it, made only where the configuration allows it; see `audio_payload`.

    Attributes:
        start: Stream seconds of the first sample.
        end: Stream seconds after the last.
        rate: Samples a second.
        samples: How many there are in the payload, one channel.
    """

    kind: Literal["audio"] = "audio"
    stream: StreamId
    start: float
    end: float
    rate: _Count
    samples: _Count


class EmbeddingHeader(_Header, kw_only=True, gc=False):
    """What the network made of a patch, made only while somebody subscribes to it; see `embedding_payload`.

    Attributes:
        time: Unix seconds at which the patch's last sample was captured.
        start: Stream seconds of the patch's first sample, as of its scores.
        end: Where the next patch begins.
        model: Name of the model's bundle.
        embedder: Hash that names what made it: only embeddings of the same one can be compared.
        n: How many numbers it has.
    """

    kind: Literal["embedding"] = "embedding"
    stream: StreamId
    start: float
    end: float
    model: str
    embedder: str
    n: _Count


Header = ScoresHeader | EventHeader | StatusHeader | ServiceHeader | LevelsHeader | AudioHeader | EmbeddingHeader
HEADERS: Final[dict[object, type[Header]]] = {
    field.default: header
    for header in get_args(Header)
    for field in msgspec.structs.fields(header)
    if field.name == "kind"
}
"""By kind."""
