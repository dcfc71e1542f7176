"""All sinks: which there are, where they live, and which of them a configuration wants.

A new sink is one file in this folder and one line in a table below.
"""

from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

from streamtag.settings import Config
from streamtag.sinks.sink import LocalSink, Sink

__all__ = ["LOCAL_SINKS", "SINKS", "SinkKind", "is_wanted", "open_local", "open_sinks", "what_matters"]

_S = TypeVar("_S")


class SinkKind(NamedTuple, Generic[_S]):
    """One kind of sink.

    Attributes:
        title: The configuration's section that asks for it, as it is written there.
        is_wanted: Tells whether a configuration does.
        open: Makes it, importing what it needs.
    """

    title: str
    is_wanted: Callable[[Config], bool]
    open: Callable[[Config], _S]


def _history(config: Config) -> LocalSink:
    from streamtag.sinks.history import HistorySink

    assert config.history.path is not None
    return HistorySink(config, config.history.path)


def _mqtt(config: Config) -> Sink:
    from streamtag.sinks.mqtt import MqttSink

    assert config.mqtt is not None
    return MqttSink(config, config.mqtt)


def _webhooks(config: Config) -> Sink:
    from streamtag.sinks.webhook import WebhookSink

    return WebhookSink(config)


def _metrics(config: Config) -> Sink:
    from streamtag.sinks.metrics import MetricsSink

    assert config.metrics is not None
    return MetricsSink(config, config.metrics)


def _notify(config: Config) -> Sink:
    from streamtag.sinks.notify import NotifySink

    return NotifySink(config)


def _alerts(config: Config) -> Sink:
    from streamtag.sinks.alerts import AlertSink

    return AlertSink(config)


LOCAL_SINKS: Final = [
    SinkKind("[history]", lambda config: config.history.path is not None, _history),
]
"""Those within the service, told first; opened when it starts, and not anew by a reload. Any sink in a `SinkQueue` may
be one."""
SINKS: Final = [
    SinkKind("[mqtt]", lambda config: config.mqtt is not None, _mqtt),
    SinkKind("[[webhook]]", lambda config: bool(config.webhooks), _webhooks),
    SinkKind("[[notify]]", lambda config: bool(config.notify), _notify),
    SinkKind("[[alert]]", lambda config: bool(config.alerts), _alerts),
    SinkKind("[metrics]", lambda config: config.metrics is not None, _metrics),
]
"""Those in one process beside the service, which hears it as any program does."""


def is_wanted(config: Config) -> bool:
    """Tell whether a configuration wants any sink beside the service."""
    return any(kind.is_wanted(config) for kind in SINKS)


def what_matters(config: Config) -> object:
    """Return what of a configuration the sinks are made from, to be compared."""
    sinks = config.mqtt, config.webhooks, config.notify, config.metrics
    # Of events alerts need to know how long they are held.
    alerts = (config.alerts, config.events, config.service.place) if config.alerts else ()
    labels = sorted(config.events.labels), [each.label for each in config.sink_labels]
    left_out = [stream.id for stream in config.streams if not stream.keep]
    return (config.service.name, config.service.page), sinks, alerts, labels, left_out, config.history


def open_sinks(config: Config) -> list[Sink]:
    """Make the sinks that a configuration wants beside the service.

    Raises:
        StreamtagError: An extra that one of them needs is not installed, or a file that it names cannot be read.
    """
    return [kind.open(config) for kind in SINKS if kind.is_wanted(config)]


def open_local(config: Config) -> list[LocalSink]:
    """Make the sinks that a configuration wants within the service; nothing runs yet.

    Raises:
        StreamtagError: As `open_sinks`.
    """
    return [kind.open(config) for kind in LOCAL_SINKS if kind.is_wanted(config)]
