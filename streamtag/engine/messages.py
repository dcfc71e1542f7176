"""From what the engine knows to what the wire carries."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamtag.bundle import Bundle
from streamtag.engine.stream import EngineStream
from streamtag.events import Event
from streamtag.track import Scores
from streamtag.wire.messages import EventHeader, Outgoing, ScoresHeader, TopLabel

__all__ = ["event_message", "scores_messages", "status_message"]

_TOP = 5


def scores_messages(
    streams: Sequence[EngineStream], scores: Sequence[Scores], rows: NDArray[np.float32], bundle: Bundle, rolling: int
) -> list[Outgoing]:
    """Return the messages of a batch of patches.

    Args:
        streams: each patch's stream.
        scores: what each patch scored.
        rows: float32 [n, 2, labels], the same scores in one array.
        bundle: the model.
        rolling: the number of patches in a rolling score.
    """
    best = _best(rows[:, 1])
    values = np.take_along_axis(rows[:, 1], best, axis=1).tolist()
    names = bundle.labels
    messages = []
    for stream, score, indices, tops in zip(streams, scores, best.tolist(), values, strict=True):
        header = ScoresHeader(
            time=score.time,
            stream=stream.id,
            start=score.start,
            end=score.end,
            model=bundle.name,
            labels_hash=bundle.labels_hash,
            n=len(names),
            rolling=rolling,
            rms_dbfs=score.rms_dbfs,
            peak_dbfs=score.peak_dbfs,
            lost_samples=stream.patcher.lost_samples,
            top=[TopLabel(names[index], value) for index, value in zip(indices, tops, strict=True)],
        )
        messages.append(Outgoing(header, score.rows.tobytes()))
    return messages


def _best(rolling: NDArray[np.float32]) -> NDArray[np.intp]:
    count = min(_TOP, rolling.shape[1])
    best = np.argpartition(rolling, -count, axis=1)[:, -count:]
    order = np.argsort(-np.take_along_axis(rolling, best, axis=1), axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1)


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
