"""From what the engine knows to what the wire carries."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamtag.engine.stream import EngineStream
from streamtag.events import Event
from streamtag.scoring import Batch, Scores, ScoreStage
from streamtag.wire.messages import EmbeddingHeader, EventHeader, Outgoing, ScoresHeader, TopLabel, embedding_payload

__all__ = ["embedding_message", "event_message", "scores_messages", "status_message"]

_TOP = 5


def scores_messages(streams: Sequence[EngineStream], batch: Batch, stage: ScoreStage) -> list[Outgoing]:
    """Return the messages of a batch of patches.

    Args:
        streams: each patch's stream.
        batch: what each patch scored.
        stage: what scored them.
    """
    labels, rolling = stage.labels, stage.judging.rolling
    bundle, labels_hash, count = stage.model.bundle, labels.hash, len(labels)
    label_of = labels.names.__getitem__
    messages = []
    for stream, score, indices, values in zip(streams, batch.scores, *_best(batch.rows[:, 1]), strict=True):
        header = ScoresHeader(
            time=score.time,
            stream=stream.id,
            start=score.start,
            end=score.end,
            model=bundle,
            labels_hash=labels_hash,
            n=count,
            rolling=rolling,
            rms_dbfs=score.rms_dbfs,
            peak_dbfs=score.peak_dbfs,
            lost_samples=stream.lost_samples,
            top=list(map(TopLabel, map(label_of, indices), values)),
        )
        messages.append(Outgoing(header, score.rows.tobytes()))
    return messages


def _best(rolling: NDArray[np.float32]) -> tuple[list[list[int]], list[list[float]]]:
    """Return the labels with the highest rolling scores, float32 [n, labels], of each row, and these; highest first."""
    rest = rolling.copy()
    rows = np.arange(len(rest))
    best = np.empty((min(_TOP, rest.shape[1]), len(rest)), np.intp)
    for column in best:  # the maximum five times is faster than any sorting, of parts too
        np.argmax(rest, axis=1, out=column)
        rest[rows, column] = -1.0
    return best.T.tolist(), rolling[rows, best].T.tolist()


def embedding_message(stream: EngineStream, scores: Scores, embedding: NDArray[np.float32]) -> Outgoing:
    """Return the message of what the network made of a patch, float32 [d]."""
    model = stream.stage.model
    header = EmbeddingHeader(
        time=scores.time,
        stream=stream.id,
        start=scores.start,
        end=scores.end,
        model=model.bundle,
        embedder=model.embedder,
        n=len(embedding),
    )
    return Outgoing(header, embedding_payload(embedding))


def event_message(stream: EngineStream, event: Event) -> Outgoing:
    """Return the message of an onset or of an event's end; of an end, the stream heard of the onset before."""
    onset_time = stream.onset_time(event)
    header = EventHeader(
        stream=stream.id,
        id=event.id,
        label=event.label,
        index=event.index,
        state=event.state,
        onset=event.onset,
        offset=event.offset,
        peak=event.peak,
        onset_time=onset_time,
        offset_time=None if event.offset is None else onset_time + event.offset - event.onset,
    )
    return Outgoing(header)


def status_message(stream: EngineStream) -> Outgoing:
    """Return the message of a stream's state."""
    return Outgoing(stream.status())
