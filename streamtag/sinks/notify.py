"""Notifications: alerts as messages to telephones, mail and chats, through Apprise."""

import logging
import random
import threading
import time
from pathlib import Path
from typing import Final, NamedTuple

from streamtag.alerts.notice import AlertNotice
from streamtag.backoff import Backoff
from streamtag.settings import Config
from streamtag.sinks.addresses import Address, read_addresses
from streamtag.sinks.digest import Digest
from streamtag.sinks.recordings import Recordings
from streamtag.sinks.sink import Deliveries, SinkMessage
from streamtag.threads import Worker

__all__ = ["NotifySink", "open_sink"]

_GATHER_SECONDS: Final = 0.5
"""What comes so soon after the first is told with it."""
_LOOK_SECONDS: Final = 0.5
_PAUSES: Final = Backoff(2.0, 300.0)
_END_SECONDS: Final = 1.0

logger = logging.getLogger(__name__)


def open_sink(config: Config) -> "NotifySink":
    """Make the sink of a configuration that wants it."""
    return NotifySink(config)


class NotifySink:
    """Hands alerts to the addresses that they are sent to; each has a thread of its own, for sending may take long."""

    name = "notify"
    kinds = frozenset({"alert"})

    def __init__(
        self,
        config: Config,
        pauses: Backoff = _PAUSES,
        gather_seconds: float = _GATHER_SECONDS,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        """Read the addresses.

        Args:
            config: What is to be notified of what.
            pauses: Before a message that was not taken is tried again.
            gather_seconds: For how long an alert waits for others that come with it.
            look_seconds: Between two looks for a recording that is to go along.

        Raises:
            ConfigError: Apprise does not understand one, or a file of them cannot be read.
        """
        recordings, times = Recordings(config.history), _Times(pauses, gather_seconds, look_seconds)
        self._recipients: dict[str, list[_Recipient]] = {}
        for settings in config.notify:
            addresses = read_addresses(config, settings)
            self._recipients[settings.name] = [
                _Recipient(f"{settings.name}, address {number}", address, settings.digest_seconds, recordings, times)
                for number, address in enumerate(addresses, start=1)
            ]
            if not any(settings.name in (alert.send or ()) for alert in config.alerts):
                logger.warning('[[notify]] "%s": no alert is sent to it', settings.name)

    def open(self) -> None:
        """Start the threads."""
        for recipient in self._all():
            recipient.start()

    def take(self, message: SinkMessage) -> None:
        """Take in an alert."""
        notice = message.header
        if isinstance(notice, AlertNotice):
            for name in notice.send:
                for recipient in self._recipients.get(name, ()):
                    recipient.put(notice)

    def look(self) -> None:
        """Do nothing: the threads do."""

    def close(self) -> None:
        """Send what waits, where that takes no longer than a second."""
        for recipient in self._all():
            recipient.ask_to_end()
        deadline = time.monotonic() + _END_SECONDS
        for recipient in self._all():
            recipient.join(deadline - time.monotonic())

    def deliveries(self) -> Deliveries:
        """Count messages that were taken, tries that failed, and alerts that wait."""
        every = self._all()
        return Deliveries(
            sent=sum(each.sent for each in every),
            failed=sum(each.failed for each in every),
            waiting=sum(each.waiting for each in every),
        )

    def _all(self) -> list["_Recipient"]:
        return [recipient for recipients in self._recipients.values() for recipient in recipients]


class _Times(NamedTuple):
    pauses: Backoff
    gather: float
    look: float


class _Recipient:
    """One address, what it is to be told, and the thread that tells it."""

    def __init__(
        self, name: str, address: Address, digest_seconds: float, recordings: Recordings, times: _Times
    ) -> None:
        self.sent = self.failed = 0
        self._name = name
        self._address = address
        self._digest_seconds = digest_seconds
        self._recordings = recordings
        self._changed = threading.Condition()
        self._digest = Digest()
        self._due = 0.0
        self._clips_until = 0.0
        self._ending = False
        self._sent_at = float("-inf")
        self._times, self._pause = times, times.pauses.first
        self._has_trouble = False
        self._worker = Worker("notify", self._run)

    @property
    def waiting(self) -> int:
        """Alerts that it was not told of yet."""
        return self._digest.count

    def start(self) -> None:
        self._worker.start()

    def put(self, notice: AlertNotice) -> None:
        now = time.monotonic()
        with self._changed:
            if not self._digest.count:
                self._due = max(now + self._times.gather, self._sent_at + self._digest_seconds)
                self._clips_until = now
            self._digest.add(notice)
            if notice.clip:
                self._clips_until = now + self._recordings.wait_seconds
            self._changed.notify()

    def ask_to_end(self) -> None:
        with self._changed:
            self._ending = True
            self._changed.notify()

    def join(self, seconds: float) -> None:
        self._worker.join(seconds)
        if self._digest.count:
            logger.warning("notify %s: %d alerts were not told", self._name, self._digest.count)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._digest.count or self._ending)
                if not self._digest.count:
                    return
                rest = self._due - time.monotonic()
                if rest > 0 and not self._ending:
                    self._changed.wait(rest)
                    continue
            files = self._files()
            if files is None:
                continue
            with self._changed:
                digest, self._digest = self._digest, Digest()
                is_last = self._ending
            self._send(digest, files)
            if is_last:
                return

    def _files(self) -> list[Path] | None:
        """Return the recordings that go along; None, after a while, where one may still come."""
        with self._changed:
            notices = list(self._digest.clips)
            until = min(self._clips_until, self._due + self._recordings.wait_seconds)
        found = [path for notice in notices if (path := self._recordings.find(notice)) is not None]
        if len(found) < len(notices) and time.monotonic() < until and not self._ending:
            with self._changed:
                self._changed.wait(self._times.look)
            return None
        return found

    def _send(self, digest: Digest, files: list[Path]) -> None:
        if self._address.send(digest.title(), digest.body(), files):
            self.sent += 1
            self._sent_at = time.monotonic()
            self._pause = self._times.pauses.first
            if self._has_trouble:
                self._has_trouble = False
                logger.info("notify %s: it takes messages again", self._name)
            with self._changed:  # what came while it was sent waits for the next
                self._due = max(self._due, self._sent_at + self._digest_seconds)
            return
        self.failed += 1
        if not self._has_trouble:
            self._has_trouble = True
            logger.warning(
                "notify %s: the message was not taken; it is tried again, and what comes is told with it", self._name
            )
        pause = self._pause * random.uniform(0.75, 1.25)  # noqa: S311
        self._pause = self._times.pauses.after(self._pause)
        with self._changed:
            self._digest.merge(digest)
            self._due = time.monotonic() + pause
