"""From a service's wire to the sinks."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from streamtag.errors import ConfigError
from streamtag.keys import ClientKey
from streamtag.limits import PRIVATE_PREFIX
from streamtag.settings import Config
from streamtag.sink_kinds import SINKS
from streamtag.sinks.alerts import AlertSink
from streamtag.sinks.pausing import Pausing, PausingSink
from streamtag.sinks.sink import Overseer, Sink, SinkMessage, SinkQueue
from streamtag.wire import KINDS, Subscriber
from streamtag.wire.messages import Header, Message, ServiceHeader

__all__ = ["relay"]

_LOOK_SECONDS: Final = 0.2
_END_SECONDS: Final = 2.0
_ALERTS_END_SECONDS: Final = 0.5

logger = logging.getLogger(__name__)


class SupportsBool(Protocol):
    """What is true or not."""

    def __bool__(self) -> bool: ...


def relay(
    config: Config,
    sinks: Sequence[Sink],
    endpoint: str,
    stop: SupportsBool,
    heard: Callable[[], None] = lambda: None,
    key: ClientKey | None = None,
) -> None:
    """Run sinks against a service, until `stop` is true.

    Args:
        config: The settings that they are made from.
        sinks: What `open_sinks` made of them.
        endpoint: The service; one that is not there yet is waited for.
        stop: Looked at several times a second.
        heard: Called once the service was heard: from then on nothing that it tells is missed.
        key: Ours, where the service asks for one.

    Raises:
        ConfigError: The configuration wants no sink.
    """
    if not sinks:
        raise ConfigError(
            f"{config.path}: it has no sink: write {' or '.join(kind.title for kind in SINKS if not kind.is_local)}"
        )
    queues = [SinkQueue(sink) for sink in sinks]
    for sink in sinks:
        if isinstance(sink, Overseer):
            sink.oversee(queues)
        if isinstance(sink, PausingSink):
            sink.pause_by(Pausing(endpoint, key))
    public = _Public(config)
    kinds = {"service"}.union(*(sink.kinds for sink in sinks)).intersection(KINDS)
    with Subscriber(endpoint, kinds=sorted(kinds), key=key) as wire:
        for queue in queues:
            queue.start()
        logger.info("telling %s of what is heard on %s", ", ".join(sink.name for sink in sinks), endpoint)
        was_heard = False
        while not stop:
            message = wire.receive(_LOOK_SECONDS)
            if message is None:
                continue
            if not was_heard and message.header["kind"] == "service":
                was_heard = True
                heard()
            _pass_on(message, public, queues)
        _pass_on_the_last(wire, public, queues)
    _end(queues)


def _end(queues: list[SinkQueue]) -> None:
    """Have each sink tell what it has; those that are told of alerts end after the alerts, which may have some more."""
    deadline = time.monotonic() + _END_SECONDS
    alerts = [queue for queue in queues if queue.name == AlertSink.name]
    for ending, seconds in ((alerts, _ALERTS_END_SECONDS), (queues, _END_SECONDS)):
        for queue in ending:
            queue.ask_to_end()
        until = min(deadline, time.monotonic() + seconds)
        for queue in ending:
            queue.join(until - time.monotonic())


def _pass_on_the_last(wire: Subscriber, public: "_Public", queues: list[SinkQueue]) -> None:
    """A service that ends tells of it before its sinks are ended: what is here already is not left behind."""
    deadline = time.monotonic() + _LOOK_SECONDS
    while time.monotonic() < deadline and (message := wire.receive(0.0)) is not None:
        _pass_on(message, public, queues)


def _pass_on(message: Message, public: "_Public", queues: list[SinkQueue]) -> None:
    if message.typed is not None and public.has(message.typed):
        told = SinkMessage(message.typed, message.patch, message.rolling)
        for queue in queues:
            queue.take(told)


class _Public:
    """Keeps the microphones of the page's visitors from everybody else."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._known: frozenset[str] = frozenset()
        self._private: frozenset[str] = frozenset()
        self._labels: list[str] = []

    def has(self, header: Header) -> bool:
        if isinstance(header, ServiceHeader):
            self._hear(header)
            return True
        if header.stream in self._known:
            return header.stream not in self._private
        return not header.stream.startswith(PRIVATE_PREFIX)

    def _hear(self, header: ServiceHeader) -> None:
        self._known = frozenset(header.streams)
        self._private = frozenset(header.private)
        labels = [*header.labels, *(label for model in header.models.values() for label in model.labels)]
        if labels == self._labels:
            return
        self._labels = labels
        for label, title, line in self._config.sink_labels:
            if label not in self._labels:
                where = f"{self._config.path}, line {line}: {title}"
                logger.warning('%s: the service\'s model has no label "%s"', where, label)
