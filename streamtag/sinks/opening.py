"""Which sinks a configuration wants; `streamtag/sink_kinds.py` names them all."""

from importlib import import_module
from operator import attrgetter
from typing import Any

from streamtag.settings import Config
from streamtag.sink_kinds import SINKS, SinkKind
from streamtag.sinks.sink import LocalSink, Sink, SinkQueue

__all__ = ["is_wanted", "open_local", "open_sinks", "what_matters"]


def is_wanted(config: Config) -> bool:
    """Tell whether a configuration wants any sink beside the service."""
    return any(_settings(kind, config) for kind in SINKS if not kind.is_local)


def what_matters(config: Config) -> object:
    """Return what of a configuration the sinks are made from, to be compared."""
    sinks = [_settings(kind, config) for kind in SINKS if not kind.is_local]
    # Of events alerts need to know how long they are held.
    alerts = (config.events, config.service.location) if config.alerts else ()
    labels = sorted(config.events.labels), [each.label for each in config.sink_labels]
    left_out = [stream.id for stream in config.streams if not stream.keep]
    return (config.service.name, config.service.page), sinks, alerts, labels, left_out, config.history


def open_sinks(config: Config) -> list[Sink]:
    """Make the sinks that a configuration wants beside the service.

    Raises:
        StreamtagError: An extra that one of them needs is not installed, or a file that it names cannot be read.
    """
    return [_open(kind, config) for kind in SINKS if not kind.is_local and _settings(kind, config)]


def open_local(config: Config) -> list[LocalSink]:
    """Make the sinks that a configuration wants within the service; nothing runs yet.

    What is no `LocalSink` gets a `SinkQueue`, so that nobody waits for it.

    Raises:
        StreamtagError: As `open_sinks`.
    """
    opened: list[Any] = [_open(kind, config) for kind in SINKS if kind.is_local and _settings(kind, config)]
    return [sink if hasattr(sink, "hear") else SinkQueue(sink) for sink in opened]


def _settings(kind: SinkKind, config: Config) -> Any:
    return attrgetter(kind.attribute)(config) if kind.attribute else config.sections.get(kind.section)


def _open(kind: SinkKind, config: Config) -> Any:
    return import_module(f"streamtag.sinks.{kind.module}").open_sink(config)
