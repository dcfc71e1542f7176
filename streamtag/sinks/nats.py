"""NATS JetStream: events, changes of state and alerts as CloudEvents, at least once, by subject."""

import asyncio
import json
import logging
import sqlite3
import ssl
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

from streamtag.backoff import Backoff
from streamtag.errors import ConfigError, StreamtagError
from streamtag.settings import Config, NatsSettings
from streamtag.sinks.cloud_events import CONTENT_TYPE, CloudEvent
from streamtag.sinks.delivery import GIVE_UP_SECONDS, DeliverySink, outbox_path
from streamtag.sinks.names import service_name
from streamtag.sinks.outbox import MOST_WAITING, Letter, Outbox
from streamtag.sinks.secrets import read_secret
from streamtag.sources.trust import trusting
from streamtag.threads import Worker

try:
    from nats.aio.client import Client
    from nats.errors import Error as NatsError
    from nats.errors import MaxPayloadError, NoServersError
    from nats.js.errors import APIError, NoStreamResponseError
except ImportError as error:
    raise StreamtagError("[nats] needs the extra 'nats': pip install 'streamtag[nats]'") from error

__all__ = ["NatsSink", "open_sink", "subject_of"]

_KEY: Final = "jetstream"
_AT_ONCE: Final = 64
"""Messages that are on their way together."""
_CONNECT_SECONDS: Final = 5
_ANSWER_SECONDS: Final = 5.0
_END_SECONDS: Final = 0.5
_PAUSES: Final = Backoff(1.0, 60.0)
_REST_SECONDS: Final = 0.5
_TOO_LARGE: Final = 10_054
"""JetStream's error of a message that is larger than its stream takes."""
_KINDS: Final = {"event": "event", "stream": "state", "rule": "alert"}
"""The part of a subject that says what is told, by what stands in the CloudEvent's type."""

logger = logging.getLogger(__name__)


def open_sink(config: Config) -> "NatsSink":
    """Make the sink of a configuration that wants it.

    Raises:
        ConfigError: A file that it names cannot be read.
    """
    assert config.nats is not None
    return NatsSink(config, config.nats)


def subject_of(base: str, service: str, body: str) -> str:
    """Return where a CloudEvent goes: `base.service.event.stream`, or `state` or `alert` for `event`.

    Dots of a stream's id are underscores there.
    """
    told = json.loads(body)
    kind = _KINDS[told["type"].removeprefix("org.streamtag.").partition(".")[0]]
    return f"{base}.{service}.{kind}.{told['data']['stream'].replace('.', '_')}"


class NatsSink(DeliverySink):
    """Publishes what it takes in to JetStream, which knows each by its id and keeps it once."""

    name = "nats"

    def __init__(
        self,
        config: Config,
        settings: NatsSettings,
        pauses: Backoff = _PAUSES,
        answer_seconds: float = _ANSWER_SECONDS,
    ) -> None:
        jetstream = _JetStream(config, settings, pauses, answer_seconds)
        super().__init__(config, outbox_path(config, "nats"), [jetstream])


class _JetStream:
    """The servers, and the thread that publishes to them."""

    def __init__(self, config: Config, settings: NatsSettings, pauses: Backoff, answer_seconds: float) -> None:
        self.key = _KEY
        self._pauses, self._answer_seconds = pauses, answer_seconds
        self.delivered = self.given_up = 0
        self._labels = settings.labels
        self._base, self._service = settings.subject, service_name(config.service.name)
        self._at = ", ".join(settings.servers)
        self._options = _options(config, settings, f"streamtag-{self._service}")
        self._ending = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._worker: Worker | None = None
        self._trouble = ""
        self._said = ""  # by the server beside its answers, such as that something is not permitted
        self._heard: Exception | None = None  # the newest of whatever went wrong with the connection
        self._finished: set[int] = set()  # done, and not yet forgotten by the disk

    def wants(self, told: CloudEvent) -> bool:
        return told.label is None or self._labels is None or told.label in self._labels

    def start(self, outbox: Outbox) -> None:
        self._worker = Worker("nats", lambda: asyncio.run(self._run(outbox))).start()

    def wake(self) -> None:
        if (loop := self._loop) is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._woken.set)

    def trim(self, outbox: Outbox) -> None:
        try:
            surplus = outbox.give_up(self.key, MOST_WAITING)
        except sqlite3.Error:
            return  # the sink tells of a disk in trouble
        if surplus:
            self.given_up += surplus
            logger.warning("nats: too many wait: the %d oldest are given up", surplus)

    def stop(self) -> None:
        self._ending.set()
        self.wake()
        if self._worker is not None:
            self._worker.join(_END_SECONDS)

    async def _run(self, outbox: Outbox) -> None:
        self._loop = asyncio.get_running_loop()
        pause = self._pauses.first
        while not self._ending.is_set():
            client = await self._connect()
            if client is not None:
                pause = self._pauses.first
                try:
                    await self._empty(outbox, client)
                finally:
                    await client.close()
            await self._rest(pause)
            pause = self._pauses.after(pause)

    async def _connect(self) -> Client | None:
        client = Client()
        try:
            await client.connect(error_cb=self._hear, **self._options)
        except (OSError, NatsError) as error:
            await client.close()
            reason = self._heard if isinstance(error, NoServersError) and self._heard is not None else error
            self._complain(
                f"cannot connect to {self._at} ({_in_words(reason)}); it is tried again, and what comes waits"
            )
            return None
        logger.info("nats: connected to %s", self._at)
        return client

    async def _empty(self, outbox: Outbox, client: Client) -> None:
        """Publish what is in the outbox, until the connection is lost or we end."""
        pause = self._pauses.first
        while not self._ending.is_set() and client.is_connected:
            self._woken.clear()
            try:
                letters = outbox.oldest(self.key, time.time(), _AT_ONCE)
                if not letters:
                    await self._rest(_REST_SECONDS, until_woken=True)
                    continue
                is_well = await self._publish(outbox, client, letters)
            except sqlite3.Error as error:
                logger.debug("nats: %s", error)
                is_well = False
            if is_well:
                pause = self._pauses.first
            else:
                await self._rest(pause)
                pause = self._pauses.after(pause)

    async def _publish(self, outbox: Outbox, client: Client, letters: Sequence[Letter]) -> bool:
        """Publish letters; tell whether each of them was taken, or given up."""
        jetstream = client.jetstream(timeout=self._answer_seconds)
        unsent = [letter for letter in letters if letter.number not in self._finished]
        results = await asyncio.gather(
            *(
                jetstream.publish(
                    subject_of(self._base, self._service, letter.body),
                    letter.body.encode(),
                    headers={"Nats-Msg-Id": letter.id, "Content-Type": CONTENT_TYPE},
                )
                for letter in unsent
            ),
            return_exceptions=True,
        )
        failed = 0
        for letter, result in zip(unsent, results, strict=True):
            if not isinstance(result, BaseException):
                self.delivered += 1
            elif not isinstance(result, NatsError | OSError):
                raise result
            elif _is_final(result) or time.time() - letter.made > GIVE_UP_SECONDS:
                self.given_up += 1
                self._complain(f"{_in_words(result)}: what is not taken is given up")
            else:
                failed += 1
                self._complain(f"{self._said or _in_words(result)}; it is tried again, and what comes waits")
                continue
            self._finished.add(letter.number)
        if not failed and all(not isinstance(result, BaseException) for result in results):
            self._well()
        done = [letter.number for letter in letters if letter.number in self._finished]
        outbox.done(*done)
        self._finished.difference_update(done)
        return not failed

    async def _rest(self, seconds: float, *, until_woken: bool = False) -> None:
        deadline = time.monotonic() + seconds
        while not self._ending.is_set() and (left := deadline - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(self._woken.wait(), left)
            except TimeoutError:
                return
            if until_woken:
                return
            self._woken.clear()

    async def _hear(self, error: Exception) -> None:
        self._heard = error
        if "permissions" in str(error).lower():
            self._said = " ".join(str(error).removeprefix("nats: ").split())

    def _complain(self, reason: str) -> None:
        if reason != self._trouble:
            logger.warning("nats: %s", reason)
        self._trouble = reason

    def _well(self) -> None:
        if self._trouble:
            logger.info("nats: what is told is taken again")
        self._trouble = self._said = ""


def _options(config: Config, settings: NatsSettings, name: str) -> dict[str, Any]:
    """Return what a connection is made with.

    Raises:
        ConfigError: A file cannot be read.
    """
    options: dict[str, Any] = {
        "servers": list(settings.servers),
        "name": name,
        "allow_reconnect": False,  # the outbox knows what to send again
        "max_reconnect_attempts": 1,
        "reconnect_time_wait": 0,
        "connect_timeout": _CONNECT_SECONDS,
        "user": settings.user,
        "password": settings.password,
        "token": settings.token,
    }
    for key in ("password", "token"):
        path = getattr(settings, f"{key}_file")
        if path is not None:
            options[key] = read_secret(config, f"[nats] {key}_file", path)
    if settings.ca_file is not None or any(server.startswith("tls://") for server in settings.servers):
        try:
            options["tls"] = trusting(settings.ca_file)
        except (OSError, ssl.SSLError) as error:
            text = error.strerror or "it is no certificate"
            raise ConfigError(f"{config.path}: [nats] ca_file {settings.ca_file}: {text}") from error
    return {key: value for key, value in options.items() if value is not None}


def _is_final(error: BaseException) -> bool:
    """Tell whether a message will never be taken, however often it is sent."""
    return isinstance(error, MaxPayloadError) or (isinstance(error, APIError) and error.err_code == _TOO_LARGE)


def _in_words(error: BaseException) -> str:
    """Say what went wrong, in the server's words where it has some."""
    if isinstance(error, NoStreamResponseError):
        return "no stream of JetStream takes these subjects: make one that does"
    if isinstance(error, APIError):
        return f"JetStream says: {error.description}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return error.strerror or "the connection failed"
    return " ".join(str(error).removeprefix("nats: ").split()).lower() or "the connection was lost"
