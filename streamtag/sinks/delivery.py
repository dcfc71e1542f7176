"""What webhooks and JetStream share: each message taken in once, and kept on disk until somebody has it."""

import logging
import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from platformdirs import user_state_path

from streamtag.alerts.notice import AlertNotice
from streamtag.history.lock import HeldError
from streamtag.settings import Config
from streamtag.sinks.clip_links import clip_link
from streamtag.sinks.cloud_events import CloudEvent, alert_event, cloud_event
from streamtag.sinks.names import service_name
from streamtag.sinks.outbox import Outbox
from streamtag.sinks.sink import Deliveries, SinkMessage
from streamtag.wire.messages import EventHeader, StatusHeader

__all__ = ["GIVE_UP_SECONDS", "DeliverySink", "Recipient", "outbox_path"]

GIVE_UP_SECONDS: Final = 86_400.0
"""What could not be delivered for so long is given up."""
_MOST_IN_MEMORY: Final = 10_000
_TRIM_SECONDS: Final = 10.0

logger = logging.getLogger(__name__)


def outbox_path(config: Config, kind: str) -> Path:
    """Return where deliveries of a kind wait: beside the history, else in the user's state folder."""
    if config.history.path:
        history = Path(config.history.path)
        return history.with_name(f"{history.stem}-{kind}.sqlite")
    return user_state_path("streamtag") / f"{service_name(config.service.name)}-{kind}.sqlite"


class Recipient(Protocol):
    """Whom an outbox is emptied for, in a thread of its own.

    Attributes:
        key: Names it in the outbox.
        delivered: How many it has taken.
        given_up: How many it will never get.
    """

    key: str
    delivered: int
    given_up: int

    def wants(self, told: CloudEvent) -> bool:
        """Tell whether it is to be told."""

    def start(self, outbox: Outbox) -> None:
        """Begin to deliver."""

    def wake(self) -> None:
        """Look into the outbox, where something new waits."""

    def trim(self, outbox: Outbox) -> None:
        """Give up the oldest of too many."""

    def stop(self) -> None:
        """End within a second; what waits stays where it is."""


class DeliverySink:
    """Writes what is to be told to the queue on disk; the recipients empty it.

    Attributes:
        name: What it is called in the log, and in the `send` of alerts.
        dropped: Deliveries given up before they could be kept.
    """

    name: str
    kinds = frozenset({"event", "status", "alert"})

    def __init__(self, config: Config, path: Path, recipients: Sequence[Recipient]) -> None:
        """Prepare it.

        Args:
            config: The settings.
            path: The queue.
            recipients: Who is told.
        """
        self.dropped = 0
        self._path = path
        self._service = service_name(config.service.name)
        self._clip = clip_link(config)
        self._recipients = recipients
        self._outbox: Outbox | None = None
        self._seen: dict[str, str] = {}
        self._waiting: deque[tuple[str, str, str]] = deque()  # until it is on disk
        self._new: dict[str, str] = {}
        self._trouble = ""
        self._trim_at = 0.0
        self._is_held = False  # another process tells what we would

    def open(self) -> None:
        """Open the queue; one that cannot be opened is tried again, and what comes meanwhile waits in memory."""
        self._try_to_open()

    def take(self, message: SinkMessage) -> None:
        """Take in a message; one that was taken in before, by an earlier process too, is not told twice."""
        header = message.header
        if self._is_held:
            return
        if isinstance(header, AlertNotice):
            if self.name in header.send:
                self._put(alert_event(header, self._service))
        elif isinstance(header, EventHeader | StatusHeader) and self._is_new(header):
            self._put(cloud_event(header, self._service, self._clip))

    def _put(self, told: CloudEvent) -> None:
        for recipient in self._recipients:
            if recipient.wants(told):
                self._waiting.append((recipient.key, told.id, told.body))
        while len(self._waiting) > _MOST_IN_MEMORY:
            self._waiting.popleft()
            self.dropped += 1
        self._write()

    def look(self) -> None:
        """Try again what could not be written."""
        if self._outbox is None:
            self._try_to_open()
        self._write()
        if self._outbox is not None and time.monotonic() >= self._trim_at:
            self._trim_at = time.monotonic() + _TRIM_SECONDS
            for recipient in self._recipients:
                recipient.trim(self._outbox)

    def close(self) -> None:
        """Leave on disk what is not delivered."""
        self._write()
        for recipient in self._recipients:
            recipient.stop()
        if self._outbox is not None:
            self._outbox.close()

    def deliveries(self) -> Deliveries:
        """Count deliveries over all recipients."""
        waiting, outbox = len(self._waiting), self._outbox
        if outbox is not None:
            with suppress(sqlite3.Error):  # in trouble, of which the log tells
                waiting += sum(outbox.waiting(recipient.key) for recipient in self._recipients)
        sent = sum(recipient.delivered for recipient in self._recipients)
        return Deliveries(sent, sum(recipient.given_up for recipient in self._recipients), self.dropped, waiting)

    def _try_to_open(self) -> None:
        try:
            outbox = Outbox(self._path)
            outbox.keep_only([recipient.key for recipient in self._recipients])
            self._seen = {**outbox.seen(), **self._seen}
        except HeldError as error:
            self._is_held = True
            self._complain(str(error))
            return
        except (OSError, sqlite3.Error) as error:
            self._complain(str(error))
            return
        self._is_held = False
        self._outbox = outbox
        for recipient in self._recipients:
            recipient.start(outbox)

    def _is_new(self, header: EventHeader | StatusHeader) -> bool:
        """Tell whether a message is news: the service repeats its newest to whoever begins to listen."""
        topic, session = f"{header.kind}/{header.stream}", header.session
        before = self._seen.get(topic, "")
        if isinstance(header, EventHeader):
            old_session, _, seq = before.partition(":")
            if old_session == session and int(seq) >= header.seq:
                return False
            mark = f"{session}:{header.seq}"
        else:
            mark = f"{session}:{header.state}:{header.since}"
            if mark == before:
                return False
        self._seen[topic] = self._new[topic] = mark
        return True

    def _write(self) -> None:
        if self._outbox is None or not (self._waiting or self._new):
            return
        try:
            self._outbox.put(self._waiting, self._new)
        except sqlite3.Error as error:
            self._complain(str(error))
            return
        self._waiting.clear()
        self._new.clear()
        if self._trouble:
            self._trouble = ""
            logger.info("%s: %s is written again", self.name, self._path)
        for recipient in self._recipients:
            recipient.wake()

    def _complain(self, reason: str) -> None:
        if not self._trouble:
            where = f"{self.name}: {self._path}"
            logger.warning("%s cannot be written for now: %s; deliveries wait for it", where, reason)
        self._trouble = reason
