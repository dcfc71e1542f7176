"""What is known of a service as Prometheus's metrics."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric

from streamtag.sinks.figures import Figures, StreamFigures
from streamtag.sinks.sink import Deliveries
from streamtag.wire.messages import Histogram, ServiceHeader

__all__ = ["HistorySize", "families"]

_RATE: Final = 16_000
_STATES: Final = ("starting", "live", "paused", "reconnecting", "stalled", "ended", "failed")
_MEASURES: Final = {
    "batch_patches": "Patches scored together",
    "inference_seconds": "Time for front end and network of a batch",
    "publish_delay_seconds": "Time from a patch's last sample to its message",
}


class HistorySize(NamedTuple):
    """What a history holds, clips counted among the bytes."""

    events: int
    size: int


def families(
    figures: Figures, outputs: Mapping[str, Deliveries], history: HistorySize | None, now: float, *, per_stream: bool
) -> Iterator[Metric]:
    """Yield all metrics.

    Args:
        figures: What is known.
        outputs: What each sink delivered, by its name.
        history: What the history holds, None where none can be read.
        now: The clock of `Figures.hear`.
        per_stream: Whether each stream has series of its own.
    """
    is_heard, service = figures.is_heard(now), figures.service
    yield _gauge("streamtag_up", "Whether the service was heard in the last seconds", is_heard)
    if service is not None:
        yield from _of_service(service, is_heard=is_heard)
    lost = CounterMetricFamily("streamtag_lost_audio_seconds", "Sound lost, over all streams")
    lost.add_metric([], figures.lost_seconds)
    yield lost
    if per_stream:
        yield from _of_streams(figures.streams, is_heard=is_heard)
    yield from _of_outputs(outputs)
    if history is not None:
        yield _gauge("streamtag_history_bytes", "Size of the history with its clips", history.size)
        yield _gauge("streamtag_history_events", "Events in the history", history.events)


def _of_service(service: ServiceHeader, *, is_heard: bool) -> Iterator[Metric]:
    runtime, device, precision = _runtime(service.runtime)
    yield InfoMetricFamily(
        "streamtag_build",
        "What runs",
        {
            "version": service.version,
            "model": service.model,
            "labels_hash": service.labels_hash,
            "runtime": runtime,
            "device": device,
            "precision": precision,
        },
    )
    began = service.time - service.uptime
    yield _gauge("streamtag_start_time_seconds", "When the service started, in Unix seconds", began)
    streams = GaugeMetricFamily("streamtag_streams", "Streams by state", labels=["state"])
    for state in dict.fromkeys((*_STATES, *service.states)):
        streams.add_metric([state], service.states.get(state, 0) if is_heard else 0)
    yield streams
    yield _counter("streamtag_patches", "Patches scored", service.patches)
    yield _counter("streamtag_dropped_patches", "Patches dropped for want of time", service.dropped_patches)
    yield _counter("streamtag_dropped_messages", "Messages that were never sent", service.dropped_messages)
    yield _counter("streamtag_pcm_faults", "Messages with PCM that could not be used", service.pcm_faults)
    if service.sustainable_streams is not None:
        text = "Streams that this machine can keep up with"
        yield _gauge("streamtag_sustainable_streams", text, service.sustainable_streams)
    for name, histogram in service.measures.items():
        if name in _MEASURES:
            yield _histogram(f"streamtag_{name}", _MEASURES[name], histogram)


def _of_streams(streams: Mapping[str, StreamFigures], *, is_heard: bool) -> Iterator[Metric]:
    every = sorted(streams.items())

    def gauge(name: str, text: str, values: Iterable[tuple[str, float | None]]) -> Metric:
        family = GaugeMetricFamily(f"streamtag_stream_{name}", text, labels=["stream"])
        for stream, value in values:
            if value is not None:
                family.add_metric([stream], value)
        return family

    def counter(name: str, text: str, values: Iterable[tuple[str, float]]) -> Metric:
        family = CounterMetricFamily(f"streamtag_stream_{name}", text, labels=["stream"])
        for stream, value in values:
            family.add_metric([stream], value)
        return family

    live = ((name, float(is_heard and each.state == "live")) for name, each in every)
    paused = ((name, float(is_heard and each.state == "paused")) for name, each in every)
    yield gauge("live", "Whether the stream is live", live)
    yield gauge("paused", "Whether the stream is connected and not scored, as it was asked to be", paused)
    captured = ((name, each.captured) for name, each in every)
    yield gauge("last_audio_timestamp_seconds", "When its newest sound that was scored was captured", captured)
    levels = ((name, each.level_dbfs) for name, each in every)
    yield gauge("level_dbfs", "Level of its newest patch; 0 is full scale, digital silence -120", levels)
    lost = ((name, each.lost_samples / _RATE) for name, each in every)
    yield counter("lost_audio_seconds", "Sound lost", lost)
    yield counter(
        "dropped_patches", "Patches dropped for want of time", ((n, each.dropped_patches) for n, each in every)
    )
    yield counter("reconnects", "Times that its connection was lost", ((n, each.reconnects) for n, each in every))
    events = CounterMetricFamily("streamtag_events", "Onsets of configured labels", labels=["stream", "label"])
    active = GaugeMetricFamily("streamtag_label_active", "Whether it is heard now", labels=["stream", "label"])
    for name, each in every:
        for label, count in each.events.items():
            events.add_metric([name, label], count)
            active.add_metric([name, label], float(is_heard and each.active[label]))
    yield events
    yield active


def _of_outputs(outputs: Mapping[str, Deliveries]) -> Iterator[Metric]:
    queue = GaugeMetricFamily("streamtag_output_queue", "Messages that wait to be delivered", labels=["output"])
    for name, deliveries in outputs.items():
        queue.add_metric([name], deliveries.waiting)
    yield queue
    for name, text in (
        ("sent", "Messages delivered"),
        ("failed", "Messages given up after they were tried"),
        ("refused", "Messages left out because too many waited"),
    ):
        family = CounterMetricFamily(f"streamtag_outputs_{name}", text, labels=["output"])
        for output, deliveries in outputs.items():
            family.add_metric([output], getattr(deliveries, name))
        yield family


def _runtime(text: str) -> tuple[str, str, str]:
    """Take apart "onnxruntime CPU int8"; a device's name may have spaces."""
    name, _, rest = text.partition(" ")
    device, _, precision = rest.rpartition(" ")
    return name, device, precision


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, float(value))


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value)


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    total, buckets = 0, []
    for bound, count in zip([*histogram.bounds, float("inf")], histogram.counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else str(float(bound)), float(total)))
    return HistogramMetricFamily(name, text, buckets, histogram.sum)
