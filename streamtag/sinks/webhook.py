"""Webhooks: events and changes of state as CloudEvents, delivered in order from a queue on disk."""

import hashlib
import logging
import random
import sqlite3
import threading
import time
from typing import Final

from streamtag.backoff import Backoff
from streamtag.redaction import redact
from streamtag.settings import Config, WebhookSettings
from streamtag.sinks.cloud_events import CONTENT_TYPE, CloudEvent
from streamtag.sinks.delivery import GIVE_UP_SECONDS, DeliverySink, outbox_path
from streamtag.sinks.outbox import MOST_WAITING, Letter, Outbox
from streamtag.sinks.post import Post, Response
from streamtag.sinks.secrets import read_secret
from streamtag.threads import Worker

__all__ = ["WebhookSink", "open_sink"]

_PAUSES: Final = Backoff(1.0, 300.0)
_REST_SECONDS: Final = 0.5
_BUSY: Final = (408, 429, 503)

logger = logging.getLogger(__name__)


def open_sink(config: Config) -> "WebhookSink":
    """Make the sink of a configuration that wants it.

    Raises:
        ConfigError: A token's file cannot be read.
    """
    return WebhookSink(config)


class WebhookSink(DeliverySink):
    """Posts what it takes in; a thread for each address."""

    name = "webhook"

    def __init__(self, config: Config, pauses: Backoff = _PAUSES) -> None:
        hooks = [_Hook(hook, _token(config, hook), pauses) for hook in config.webhooks]
        super().__init__(config, outbox_path(config, "webhooks"), hooks)


class _Hook:
    """One address, and the thread that delivers to it."""

    def __init__(self, settings: WebhookSettings, token: str | None, pauses: Backoff) -> None:
        self.key = hashlib.sha256(settings.url.encode()).hexdigest()[:16]
        self.delivered = self.given_up = 0
        self._labels = settings.labels
        self._shown = redact(settings.url)
        self._post = Post(settings.url, token, CONTENT_TYPE)
        self._ending = threading.Event()
        self._woken = threading.Event()
        self._trouble = ""
        self._pauses, self._pause = pauses, pauses.first
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
                pause = self._pauses.first
            self._ending.wait(pause)

    def _deliver(self, outbox: Outbox, letter: Letter) -> float:
        """Try a letter; return how long to rest."""
        if letter.number not in self._finished:
            response = self._post.send(letter.body)
            if 200 <= response.status < 300:
                self.delivered += 1
                self._well()
            elif response.status == 410:
                self._is_gone = True
                logger.error("webhook %s: it is gone for good (410): nothing more is sent there", self._shown)
                return 0.0
            elif not response.status or response.status in _BUSY or response.status >= 500:
                if time.time() - letter.made < GIVE_UP_SECONDS:
                    return self._fail(outbox, letter, response)
                self._give_up(f"{_said(response)} for a day")
            else:
                self._give_up(_said(response))
            self._finished.add(letter.number)
        outbox.done(letter.number)
        self._finished.discard(letter.number)
        return 0.0

    def _fail(self, outbox: Outbox, letter: Letter, response: Response) -> float:
        if not self._trouble:
            logger.warning("webhook %s: %s; it is tried again, and what comes waits", self._shown, _said(response))
        self._trouble = _said(response)
        pause = self._pause * random.uniform(0.75, 1.25)  # noqa: S311
        self._pause = self._pauses.after(self._pause)
        if response.retry_after is not None:
            return max(pause, min(response.retry_after, GIVE_UP_SECONDS))
        if response.status and response.status != 429:
            # It may be this one alone that the server cannot bear: the others have their turn.
            later = min(self._pauses.longest, self._pauses.first * 2**letter.tries)
            outbox.put_off(letter.number, time.time() + later)
        return pause

    def _give_up(self, reason: str) -> None:
        self.given_up += 1
        if self._trouble != reason:
            logger.error("webhook %s: %s: what it does not take is given up", self._shown, reason)
        self._trouble = reason

    def _well(self) -> None:
        self._pause = self._pauses.first
        if self._trouble:
            logger.info("webhook %s: it takes what is sent again", self._shown)
        self._trouble = ""


def _token(config: Config, hook: WebhookSettings) -> str | None:
    if hook.token_file is None:
        return hook.token
    return read_secret(config, "[[webhook]] token_file", hook.token_file)


def _said(response: Response) -> str:
    return f"it answers {response.status}" if response.status else response.reason
