"""Webhooks: events and changes of state as CloudEvents, delivered in order from a queue on disk."""

import hashlib
import logging
import random
import sqlite3
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final

from platformdirs import user_state_path

from streamtag.alerts.notice import AlertNotice
from streamtag.history.lock import HeldError
from streamtag.redaction import redact
from streamtag.settings import Config, WebhookSettings
from streamtag.sinks.clip_links import clip_link
from streamtag.sinks.cloud_events import CONTENT_TYPE, CloudEvent, alert_event, cloud_event
from streamtag.sinks.names import service_name
from streamtag.sinks.outbox import MOST_WAITING, Letter, Outbox
from streamtag.sinks.post import Answer, Post
from streamtag.sinks.secrets import read_secret
from streamtag.sinks.sink import Deliveries, SinkMessage
from streamtag.threads import Worker
from streamtag.wire.messages import EventHeader, StatusHeader

__all__ = ["WebhookSink", "open_sink", "outbox_path"]

_MOST_IN_MEMORY: Final = 10_000
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 300.0
_GIVE_UP_SECONDS: Final = 86_400.0
_REST_SECONDS: Final = 0.5
_TRIM_SECONDS: Final = 10.0
_BUSY: Final = (408, 429, 503)

logger = logging.getLogger(__name__)


def outbox_path(config: Config) -> Path:
    """Return where deliveries wait: beside the history, else in the user's state folder."""
    if config.history.path:
        history = Path(config.history.path)
        return history.with_name(f"{history.stem}-webhooks.sqlite")
    return user_state_path("streamtag") / f"{service_name(config.service.name)}-webhooks.sqlite"


def open_sink(config: Config) -> "WebhookSink":
    """Make the sink of a configuration that wants it."""
    return WebhookSink(config)


class WebhookSink:
    """Writes what is to be told to the queue on disk; a thread for each address empties it.

    Attributes:
        dropped: Deliveries given up before they could be kept.
    """

    name = "webhook"
    kinds = frozenset({"event", "status", "alert"})

    def __init__(self, config: Config) -> None:
        """Prepare it.

        Raises:
            ConfigError: A token's file cannot be read.
        """
        self.dropped = 0
        self._path = outbox_path(config)
        self._service = service_name(config.service.name)
        self._clip = clip_link(config)
        self._hooks = [_Hook(hook, _token(config, hook)) for hook in config.webhooks]
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
            if "webhook" in header.send:
                self._put(alert_event(header, self._service))
        elif isinstance(header, EventHeader | StatusHeader) and self._is_new(header):
            self._put(cloud_event(header, self._service, self._clip))

    def _put(self, told: CloudEvent) -> None:
        for hook in self._hooks:
            if hook.wants(told):
                self._waiting.append((hook.key, told.id, told.body))
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
            for hook in self._hooks:
                hook.trim(self._outbox)

    def close(self) -> None:
        """Leave on disk what is not delivered."""
        self._write()
        for hook in self._hooks:
            hook.stop()
        if self._outbox is not None:
            self._outbox.close()

    def deliveries(self) -> Deliveries:
        """Count deliveries over all addresses."""
        waiting, outbox = len(self._waiting), self._outbox
        if outbox is not None:
            with suppress(sqlite3.Error):  # in trouble, of which the log tells
                waiting += sum(outbox.waiting(hook.key) for hook in self._hooks)
        sent = sum(hook.delivered for hook in self._hooks)
        return Deliveries(sent, sum(hook.given_up for hook in self._hooks), self.dropped, waiting)

    def _try_to_open(self) -> None:
        try:
            outbox = Outbox(self._path)
            outbox.keep_only([hook.key for hook in self._hooks])
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
        for hook in self._hooks:
            hook.start(outbox)

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
            logger.info("webhooks: %s is written again", self._path)
        for hook in self._hooks:
            hook.wake()

    def _complain(self, reason: str) -> None:
        if not self._trouble:
            logger.warning("webhooks: %s cannot be written for now: %s; deliveries wait for it", self._path, reason)
        self._trouble = reason


class _Hook:
    """One address, and the thread that delivers to it."""

    def __init__(self, settings: WebhookSettings, token: str | None) -> None:
        self.key = hashlib.sha256(settings.url.encode()).hexdigest()[:16]
        self.delivered = self.given_up = 0
        self._labels = settings.labels
        self._shown = redact(settings.url)
        self._post = Post(settings.url, token, CONTENT_TYPE)
        self._ending = threading.Event()
        self._woken = threading.Event()
        self._trouble = ""
        self._pause = _FIRST_PAUSE_SECONDS
        self._worker: Worker | None = None
        self._is_gone = False
        self._finished: set[int] = set()  # done, and not yet forgotten by the disk

    def wants(self, told: CloudEvent) -> bool:
        return told.label is None or self._labels is None or told.label in self._labels

    def start(self, outbox: Outbox) -> None:
        self._worker = Worker("webhook", lambda: self._run(outbox)).start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self) -> None:
        self._ending.set()
        self._woken.set()
        if self._worker is not None:
            self._worker.join(0.5)

    def trim(self, outbox: Outbox) -> None:
        """Give up the oldest of too many."""
        try:
            surplus = outbox.give_up(self.key, 0 if self._is_gone else MOST_WAITING)
        except sqlite3.Error:
            return  # `_write` tells of a disk in trouble
        if surplus and not self._is_gone:
            self.given_up += surplus
            logger.warning("webhook %s: too many wait: the %d oldest are given up", self._shown, surplus)

    def _run(self, outbox: Outbox) -> None:
        while not self._ending.is_set() and not self._is_gone:
            self._woken.clear()
            try:
                letter = outbox.next(self.key, time.time())
                if letter is None:
                    self._woken.wait(_REST_SECONDS)
                    continue
                pause = self._deliver(outbox, letter)
            except sqlite3.Error as error:
                if self._ending.is_set():
                    return
                logger.debug("webhook %s: %s", self._shown, error)
                pause = _FIRST_PAUSE_SECONDS
            self._ending.wait(pause)

    def _deliver(self, outbox: Outbox, letter: Letter) -> float:
        """Try a letter; return how long to rest."""
        if letter.number not in self._finished:
            answer = self._post.send(letter.body)
            if 200 <= answer.status < 300:
                self.delivered += 1
                self._well()
            elif answer.status == 410:
                self._is_gone = True
                logger.error("webhook %s: it is gone for good (410): nothing more is sent there", self._shown)
                return 0.0
            elif not answer.status or answer.status in _BUSY or answer.status >= 500:
                if time.time() - letter.made < _GIVE_UP_SECONDS:
                    return self._fail(outbox, letter, answer)
                self._give_up(f"{_said(answer)} for a day")
            else:
                self._give_up(_said(answer))
            self._finished.add(letter.number)
        outbox.done(letter.number)
        self._finished.discard(letter.number)
        return 0.0

    def _fail(self, outbox: Outbox, letter: Letter, answer: Answer) -> float:
        if not self._trouble:
            logger.warning("webhook %s: %s; it is tried again, and what comes waits", self._shown, _said(answer))
        self._trouble = _said(answer)
        pause = self._pause * random.uniform(0.75, 1.25)  # noqa: S311
        self._pause = min(_LONGEST_PAUSE_SECONDS, 2 * self._pause)
        if answer.retry_after is not None:
            return max(pause, min(answer.retry_after, _GIVE_UP_SECONDS))
        if answer.status and answer.status != 429:
            # It may be this one alone that the server cannot bear: the others have their turn.
            later = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**letter.tries)
            outbox.put_off(letter.number, time.time() + later)
        return pause

    def _give_up(self, reason: str) -> None:
        self.given_up += 1
        if self._trouble != reason:
            logger.error("webhook %s: %s: what it does not take is given up", self._shown, reason)
        self._trouble = reason

    def _well(self) -> None:
        self._pause = _FIRST_PAUSE_SECONDS
        if self._trouble:
            logger.info("webhook %s: it takes what is sent again", self._shown)
        self._trouble = ""


def _token(config: Config, hook: WebhookSettings) -> str | None:
    if hook.token_file is None:
        return hook.token
    return read_secret(config, "[[webhook]] token_file", hook.token_file)


def _said(answer: Answer) -> str:
    return f"it answers {answer.status}" if answer.status else answer.reason
