"""Alerts: from what a service publishes to decisions, and from those that are told to the other sinks."""

import logging
import sqlite3
import time
from collections.abc import Sequence
from typing import Final

from streamtag.alerts import AlertRules, Decision, Moment, wanted_kinds
from streamtag.alerts.log import AlertLog, log_path
from streamtag.alerts.notice import AlertNotice, notice_of, words
from streamtag.alerts.replay import can_be_replayed
from streamtag.settings import Config
from streamtag.sinks.clip_links import clip_address
from streamtag.sinks.names import service_name
from streamtag.sinks.sink import SinkMessage, SinkQueue
from streamtag.wire.messages import EventHeader, ScoresHeader, ServiceHeader, StatusHeader

__all__ = ["AlertSink", "open_sink"]

_PATCH_SECONDS: Final = 0.96  # of a stream of which no scores were heard
_KNOWN_SECONDS: Final = 2.0
"""An event's end is known so long after it was held, at the latest: two patches."""
_AWAY_SECONDS: Final = 15.0
"""The service speaks at least every 5 s."""
_RETRY_SECONDS: Final = 10.0
_MOST_IN_MEMORY: Final = 1_000

logger = logging.getLogger(__name__)


def open_sink(config: Config) -> "AlertSink":
    """Make the sink of a configuration that wants it."""
    return AlertSink(config)


class AlertSink:
    """Goes by the rules of all alerts, keeps what they decide, and hands what is told to whom it is sent."""

    name = "alerts"

    def __init__(self, config: Config) -> None:
        self.kinds = wanted_kinds(config.alerts)
        self._alerts = {alert.name: alert for alert in config.alerts}
        self._labels = frozenset(alert.when for alert in config.alerts)
        self._events = config.events
        self._location = config.service.location
        self._rules = AlertRules(config.alerts, self._location)
        self._left_out = frozenset(stream.id for stream in config.streams if not stream.keep)
        self._clip_address = clip_address(config)
        self._path = log_path(config, service_name(config.service.name))
        self._keep_days = config.history.keep_days
        self._log: AlertLog | None = None
        self._unwritten: list[Decision] = []
        self._retry_at = 0.0
        self._trouble = ""
        self._others: list[SinkQueue] = []
        self._session = ""
        self._heard_at = float("-inf")
        self._rows: dict[str, list[tuple[str, int]]] = {}  # by the labels' hash, of those that alerts wait for
        self._lasts: dict[str, float] = {}  # by stream, how long one of its patches lasts
        self._on: dict[tuple[str, str], tuple[float, float]] = {}  # events that are on: stream seconds, and our clock's
        self._streams: frozenset[str] = frozenset()

    def oversee(self, sinks: Sequence[SinkQueue]) -> None:
        """Take note of those that alerts are sent to."""
        self._others = [sink for sink in sinks if "alert" in sink.kinds]

    def open(self) -> None:
        """Open the log, and go on from what was told before."""
        self._open_log()
        if self._log is None:
            return
        now = _now()
        told = [
            Decision(
                each.alert,
                each.stream,
                each.what,
                Moment(now.at - max(0.0, now.wall - each.time), each.time),
                Moment(now.at - max(0.0, now.wall - each.onset), each.onset),
                each.value,
                True,
                "",
            )
            for each in self._log.told()
        ]
        self._rules = AlertRules(self._alerts.values(), self._location, told)

    def take(self, message: SinkMessage) -> None:
        """Take in a message."""
        header, now = message.header, _now()
        if isinstance(header, AlertNotice):
            return
        self._heard_at = now.at
        if header.session != self._session:
            self._begin_session(header.session, now)
        match header:
            case ServiceHeader():
                self._hear_service(header, now)
            case EventHeader():
                self._hear_event(header, now)
            case StatusHeader():
                self._decide(self._rules.state(header.stream, header.state, Moment(now.at, header.since), now))
            case ScoresHeader() if message.patch is not None:
                self._lasts[header.stream] = header.end - header.start
                start = now.later(header.start - header.end)
                self._decide(self._rules.level(header.stream, header.rms_dbfs, start, now))
                for label, row in self._rows.get(header.labels_hash, ()):
                    if (header.stream, label) in self._on:
                        self._rules.rise(header.stream, label, float(message.patch[row]), now)

    def look(self) -> None:
        """Tell what is due; of a service that was not heard for long nothing goes on."""
        now = _now()
        if self._session and now.at - self._heard_at > _AWAY_SECONDS:
            self._begin_session("", now)
        self._decide(self._rules.look(now))
        self._write()

    def close(self) -> None:
        """Keep what was decided last."""
        self._retry_at = 0.0
        self._write()
        if self._log is not None:
            self._log.close()

    def _begin_session(self, session: str, now: Moment) -> None:
        if self._session:
            self._decide(self._rules.forget(now))
        self._session = session
        self._on.clear()
        self._streams = frozenset()

    def _hear_service(self, header: ServiceHeader, now: Moment) -> None:
        for stream in self._streams.difference(header.streams):
            self._decide(self._rules.forget(now, stream))
        self._streams = frozenset(header.streams)
        self._lasts = {stream: seconds for stream, seconds in self._lasts.items() if stream in self._streams}
        label_sets = {header.labels_hash: header.labels}
        label_sets |= {model.labels_hash: model.labels for model in header.models.values()}
        self._rows = {
            each: [(label, row) for row, label in enumerate(labels) if label in self._labels]
            for each, labels in label_sets.items()
        }

    def _hear_event(self, header: EventHeader, now: Moment) -> None:
        stream, label = header.stream, header.label
        thresholds = self._events.labels.get(label, self._events)
        if header.state == "on":
            # When it came, and how much of it is needed to know it: by our clock, whatever becomes of the clock of day.
            began = now.at - max(self._lasts.get(stream, _PATCH_SECONDS), thresholds.min_seconds)
            onset_time = header.time if header.onset_time is None else header.onset_time
            self._on[stream, label] = header.onset, began
            tail = thresholds.hold_seconds + _KNOWN_SECONDS
            self._rules.begin(stream, label, header.peak, Moment(began, onset_time), now, tail)
            return
        onset, began = self._on.pop((stream, label), (header.onset, now.at))
        offset = header.onset if header.offset is None else header.offset
        offset_time = header.time if header.offset_time is None else header.offset_time
        ended = Moment(began + max(0.0, offset - onset), offset_time)
        self._decide(self._rules.end(stream, label, header.peak, ended, now))

    def _decide(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            if decision.is_told:
                said = words(decision.what, decision.stream, decision.value)
                logger.info("alert %s: %s", decision.alert, said)
                notice = SinkMessage(self._notice(decision))
                for other in self._others:
                    other.take(notice)
            if decision.stream not in self._left_out:
                self._unwritten.append(decision)
        del self._unwritten[:-_MOST_IN_MEMORY]

    def _notice(self, decision: Decision) -> AlertNotice:
        alert = self._alerts[decision.alert]
        url = None
        if self._clip_address is not None and can_be_replayed(alert):  # others go by no event
            url = self._clip_address(decision.stream, decision.what, decision.onset.wall)
        return notice_of(decision, alert, url)

    def _write(self) -> None:
        if not self._unwritten or time.monotonic() < self._retry_at:
            return
        if self._log is None:
            self._open_log()
        if self._log is None:
            return
        try:
            self._log.put(self._unwritten)
        except sqlite3.Error as error:
            self._complain(str(error))
            return
        self._unwritten.clear()
        if self._trouble:
            self._trouble = ""
            logger.info("alerts: %s is written again", self._path)

    def _open_log(self) -> None:
        try:
            self._log = AlertLog(self._path, self._keep_days)
        except (OSError, sqlite3.Error) as error:
            self._complain(str(error))

    def _complain(self, reason: str) -> None:
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        if not self._trouble:
            logger.warning("alerts: %s cannot be written for now: %s; alerts are sent all the same", self._path, reason)
        self._trouble = reason


def _now() -> Moment:
    return Moment(time.monotonic(), time.time())
