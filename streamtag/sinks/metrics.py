"""Metrics for Prometheus, and health for whoever looks after the service, by HTTP."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from email.message import Message as RequestHeaders
from functools import partial
from pathlib import Path
from typing import Any, Final

from streamtag.alerts.notice import AlertNotice
from streamtag.errors import HistoryError, StreamtagError
from streamtag.history import HistoryReader
from streamtag.settings import Config, MetricsSettings
from streamtag.sinks.figures import Figures
from streamtag.sinks.health import health, readiness
from streamtag.sinks.sink import SinkMessage, SinkQueue
from streamtag.sinks.web import Page, WebServer, is_loopback

try:
    from prometheus_client.core import CollectorRegistry
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector

    from streamtag.sinks.families import HistorySize, families
except ImportError as error:
    raise StreamtagError("[metrics] needs the extra 'metrics': pip install 'streamtag[metrics]'") from error

__all__ = ["MetricsSink", "open_sink"]

_AGAIN_SECONDS: Final = 5.0
_HISTORY_SECONDS: Final = 30.0
_BEGIN_SECONDS: Final = 30.0

logger = logging.getLogger(__name__)


def open_sink(config: Config) -> "MetricsSink":
    """Make the sink of a configuration that wants it."""
    assert config.metrics is not None
    return MetricsSink(config, config.metrics)


class MetricsSink:
    """Answers `/metrics`, `/healthz` and `/readyz`; an address that is taken is tried again."""

    name = "metrics"
    kinds = frozenset({"service", "status", "event", "scores"})

    def __init__(self, config: Config, settings: MetricsSettings, again_seconds: float = _AGAIN_SECONDS) -> None:
        """Prepare it.

        Args:
            config: The whole configuration.
            settings: The sink's part of it.
            again_seconds: How long after its address was taken it is tried again.
        """
        self._again_seconds = again_seconds
        self._listen = settings.listen
        host, _, port = settings.listen.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._max_streams = settings.max_streams
        # A service begins its streams when it has its sinks.
        self._has_streams = bool(config.streams)
        self._begun_by = time.monotonic() + _BEGIN_SECONDS
        labels = dict.fromkeys([*config.events.labels, *(named.label for named in config.sink_labels)])
        self._figures = Figures(labels, time.time())
        self._lock = threading.Lock()  # over the figures: visitors read them in threads of their own
        self._sinks: Sequence[SinkQueue] = ()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Collector(self._collect))
        self._server: WebServer | None = None
        self._bind_at = 0.0
        self._trouble = ""
        self._has_told_of_too_many = False
        self._reader = HistoryReader(Path(config.history.path)) if config.history.path else None
        self._history: HistorySize | None = None
        self._measure_at = 0.0

    def oversee(self, sinks: Sequence[SinkQueue]) -> None:
        """Tell of these sinks."""
        self._sinks = [sink for sink in sinks if sink.name != self.name]

    def open(self) -> None:
        """Begin to answer."""
        if not is_loopback(self._host):
            logger.warning("everybody who reaches %s may read the metrics, with the names of all streams", self._listen)
        self._bind()

    def take(self, message: SinkMessage) -> None:
        """Take in a message."""
        if isinstance(message.header, AlertNotice):
            return
        with self._lock:
            self._figures.hear(message.header, time.monotonic())

    def look(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if self._server is None and now >= self._bind_at:
            self._bind()
        if self._reader is not None and now >= self._measure_at:
            self._measure_at = now + _HISTORY_SECONDS
            try:
                self._history = HistorySize(*self._reader.size())
            except HistoryError:
                self._history = None  # there is none yet, or whoever writes it tells what is wrong

    def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.close()

    def _bind(self) -> None:
        pages: dict[str, Callable[[RequestHeaders], Page]] = {
            "/metrics": self._metrics,
            "/healthz": partial(self._judged, self._health),
            "/readyz": partial(self._judged, self._readiness),
        }
        try:
            self._server = WebServer(self._host, self._port, pages)
        except OSError as error:
            reason = error.strerror or str(error)
            if reason != self._trouble:
                logger.warning("metrics: cannot listen at %s: %s; it is tried again", self._listen, reason)
            self._trouble = reason
            self._bind_at = time.monotonic() + self._again_seconds
            return
        self._trouble = ""
        self._server.start()
        logger.info("metrics at http://%s/metrics", self._listen)

    def _metrics(self, headers: RequestHeaders) -> Page:
        encode, content_type = choose_encoder(headers.get("Accept", ""))
        return Page(encode(self._registry), content_type)

    def _collect(self) -> Iterator[Metric]:
        outputs = {sink.name: found for sink in self._sinks if (found := sink.deliveries()) is not None}
        with self._lock:
            per_stream = len(self._figures.streams) <= self._max_streams
            if not per_stream and not self._has_told_of_too_many:
                self._has_told_of_too_many = True
                logger.warning(
                    "metrics: %d streams are more than [metrics] max_streams = %d: none has metrics of its own",
                    len(self._figures.streams),
                    self._max_streams,
                )
            now = time.monotonic()
            return iter(list(families(self._figures, outputs, self._history, now, per_stream=per_stream)))

    def _health(self, now: float) -> tuple[bool, dict[str, Any]]:
        return health(self._figures, {sink.name: sink.is_alive for sink in self._sinks}, now)

    def _readiness(self, now: float) -> tuple[bool, dict[str, Any]]:
        return readiness(self._figures, now, awaits_streams=self._has_streams and now < self._begun_by)

    def _judged(self, judge: Callable[[float], tuple[bool, dict[str, Any]]], _: RequestHeaders) -> Page:
        with self._lock:
            is_good, found = judge(time.monotonic())
        return Page(f"{json.dumps(found)}\n".encode(), "application/json", 200 if is_good else 503)


class _Collector(Collector):
    """What the library asks for metrics."""

    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterator[Metric]:
        return self._collect()
