"""Messages to publish in tests."""

import numpy as np

from streamtag.wire import (
    EventHeader,
    Outgoing,
    ScoresHeader,
    ServiceHeader,
    StatusHeader,
    TopLabel,
    scores_payload,
)

LABELS = 4


def scores(stream: str = "porch", patch: int = 0, labels: int = LABELS) -> Outgoing:
    values = np.linspace(0, 1, 2 * labels, dtype=np.float32).reshape(2, labels)
    header = ScoresHeader(
        stream=stream,
        time=1_000_000.5 + patch,
        start=0.96 * patch,
        end=0.96 * patch + 0.96,
        model="default",
        labels_hash="c0ffee",
        n=labels,
        rolling=5,
        rms_dbfs=-20.0,
        peak_dbfs=-3.0,
        lost_samples=0,
        top=[TopLabel("Dog", 0.75)],
    )
    return Outgoing(header, scores_payload(values))


def event(stream: str = "porch", number: int = 0) -> Outgoing:
    return Outgoing(
        EventHeader(stream=stream, id=number, label="Dog", index=1, state="on", onset=0.5, offset=None, peak=0.9)
    )


def status(stream: str = "porch", state: str = "live") -> Outgoing:
    return Outgoing(
        StatusHeader(
            stream=stream,
            state=state,
            reason="",
            since=1_000_000.0,
            source="file:yard.flac",
            rate=48000,
            channels=2,
            patches=0,
            dropped_patches=0,
            lost_samples=0,
            queue=0,
        )
    )


def service() -> Outgoing:
    return Outgoing(
        ServiceHeader(
            version="1",
            model="default",
            runtime="onnxruntime",
            labels=["Dog", "Cat"],
            labels_hash="c0ffee",
            streams=["porch"],
            patches=0,
            dropped_patches=0,
            sustainable_streams=None,
            uptime=1.5,
        )
    )
