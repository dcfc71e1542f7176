"""All sinks, and which of them a configuration wants."""

from collections.abc import Callable
from typing import Final

from streamtag.settings import Config
from streamtag.sinks.sink import Sink

__all__ = ["is_wanted", "open_sinks", "what_matters"]


def _mqtt(config: Config) -> Sink | None:
    if config.mqtt is None:
        return None
    from streamtag.sinks.mqtt import MqttSink

    return MqttSink(config, config.mqtt)


def _webhooks(config: Config) -> Sink | None:
    if not config.webhooks:
        return None
    from streamtag.sinks.webhook import WebhookSink

    return WebhookSink(config)


def _metrics(config: Config) -> Sink | None:
    if config.metrics is None:
        return None
    from streamtag.sinks.metrics import MetricsSink

    return MetricsSink(config, config.metrics)


_SINKS: Final[tuple[Callable[[Config], Sink | None], ...]] = (_mqtt, _webhooks, _metrics)
"""Each makes its sink from a configuration, or None where that does not want it, and imports what it needs."""


def is_wanted(config: Config) -> bool:
    """Tell whether a configuration wants any sink."""
    return config.mqtt is not None or config.metrics is not None or bool(config.webhooks)


def what_matters(config: Config) -> object:
    """Return what of a configuration the sinks are made from, to be compared."""
    labels = sorted(config.events.labels), [each.label for each in config.sink_labels]
    return config.service.name, config.mqtt, config.webhooks, config.metrics, labels, config.history.path


def open_sinks(config: Config) -> list[Sink]:
    """Make the sinks that a configuration wants.

    Raises:
        StreamtagError: An extra that one of them needs is not installed, or a file that it names cannot be read.
    """
    return [sink for make in _SINKS if (sink := make(config)) is not None]
