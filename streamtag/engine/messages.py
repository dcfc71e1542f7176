"""From what the engine knows to what the wire carries."""

import numpy as np

from streamtag.bundle import Bundle
from streamtag.engine.stream import EngineStream
from streamtag.events import Event
from streamtag.track import Scores
from streamtag.wire.messages import EventHeader, Outgoing, ScoresHeader, TopLabel, scores_payload

__all__ = ["event_message", "scores_message", "status_message"]

_TOP = 5


def scores_message(stream: EngineStream, scores: Scores, bundle: Bundle, rolling: int) -> Outgoing:
    """Return the message of one patch's scores; `rolling` is the number of patches in the mean."""
    best = (
        np.argpartition(scores.rolling, -_TOP)[-_TOP:] if len(scores.rolling) > _TOP else np.arange(scores.rolling.size)
    )
    values = scores.rolling[best].tolist()
    top = sorted(zip(values, best.tolist(), strict=True), reverse=True)
    header = ScoresHeader(
        time=scores.time,
        stream=stream.id,
        start=scores.start,
        end=scores.end,
        model=bundle.name,
        labels_hash=bundle.labels_hash,
        n=len(scores.patch),
        rolling=rolling,
        rms_dbfs=scores.rms_dbfs,
        peak_dbfs=scores.peak_dbfs,
        lost_samples=stream.patcher.lost_samples,
        top=[TopLabel(bundle.labels[index], score) for score, index in top],
    )
    return Outgoing(header, scores_payload(np.stack((scores.patch, scores.rolling))))


def event_message(stream: EngineStream, event: Event) -> Outgoing:
    """Return the message of an onset or of an event's end."""
    header = EventHeader(
        stream=stream.id,
        id=event.id,
        label=event.label,
        index=event.index,
        state=event.state,
        onset=event.onset,
        offset=event.offset,
        peak=event.peak,
    )
    return Outgoing(header)


def status_message(stream: EngineStream) -> Outgoing:
    """Return the message of a stream's state."""
    return Outgoing(stream.status())
