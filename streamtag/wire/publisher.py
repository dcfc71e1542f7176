"""The thread that owns the socket at which messages go out: numbering, sending, and what late subscribers missed."""

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import zmq

from streamtag.keys import ServerKeys
from streamtag.message_kinds import KEPT
from streamtag.threads import Worker
from streamtag.wire.admission import LOOK_MS, open_publishing
from streamtag.wire.inbox import Inbox
from streamtag.wire.messages import Outgoing, encode_header, topic_of
from streamtag.wire.subscriptions import Subscriptions
from streamtag.wire.topics import Topics
from streamtag.wire.wakeup import Wakeup

__all__ = ["Publisher", "PublisherStatistics"]

_log = logging.getLogger(__name__)

_INBOX_MESSAGES: Final = 20_000
_REPLAY_CHUNK: Final = 500
_REPLAY_PAUSE_MS: Final = 10
_ANSWERING_SECONDS: Final = 0.005
"""How long subscriptions, or strangers, are taken in one go, so that messages out do not wait for a flood of them."""
_LINGER_MS: Final = 500
_SNDMORE: Final = int(zmq.SNDMORE)  # plain integers spare pyzmq an enum operation a frame
_NOBLOCK: Final = int(zmq.NOBLOCK)


@dataclass(frozen=True, slots=True)
class PublisherStatistics:
    """Counts since the start.

    Attributes:
        messages: Messages numbered and, where anybody subscribed, sent.
        replayed: Messages sent again to new subscribers.
        dropped: Messages dropped because too many waited for the publisher's thread.
        running: Whether the publisher's thread lives.
    """

    messages: int
    replayed: int
    dropped: int
    running: bool


class Publisher:
    """Publishes messages on an XPUB socket with a last-value cache.

    Args:
        endpoint: Where messages go out, ``tcp://ADDRESS:PORT`` or ``ipc://PATH``; port ``*`` chooses a free one.
        keys: Whom the socket lets in; None for everybody who reaches it.
        on_failure: Told, in that thread, of an error that ended it: nothing is published any more.

    Attributes:
        endpoint: The real endpoint once started.
        session: 8 hex digits, new for each publisher.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        keys: ServerKeys | None = None,
        on_failure: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        self.endpoint = endpoint
        self.session = secrets.token_hex(4)
        self._keys = keys
        self._inbox = Inbox(_INBOX_MESSAGES)
        self._topics = Topics()
        self._subscriptions = Subscriptions()
        self._replay: OrderedDict[bytes, None] = OrderedDict()
        self._stopping = threading.Event()
        self._thread = Worker("publisher", self._run, on_failure=on_failure)
        self._messages = self._replayed = 0

    def start(self) -> None:
        """Bind the socket and start the thread.

        Raises:
            WireError: The endpoint is in use, malformed, or not of this machine.
        """
        self._context = zmq.Context()
        self._admission, self._out = open_publishing(self._context, self._keys, self.endpoint)
        self.endpoint = self._out.getsockopt_string(zmq.LAST_ENDPOINT)
        self._wakeup = Wakeup()
        self._thread.start()

    def publish(self, messages: Sequence[Outgoing]) -> None:
        """Hand over messages to be numbered and sent in this order, from any thread; never waits.

        The headers belong to the publisher afterwards. When more than 20,000 messages wait, the oldest are dropped
        and counted, and leave a gap in the sequence numbers.
        """
        if self._inbox.put(messages):
            self._wakeup.set()

    def forget(self, stream: str) -> None:
        """Drop a stream's messages from the last-value cache, after those handed over before."""
        if self._inbox.forget(stream):
            self._wakeup.set()

    def is_watched(self, stream: str, kind: str = "levels") -> bool:
        """Tell, in any thread, whether somebody asks for a kind that is made on request, of a stream or of all."""
        return self._subscriptions.is_watched(stream, kind)

    @property
    def beats(self) -> int:
        """How many rounds of its loop the thread has done, at least one for what is published at any time."""
        return self._thread.beats

    def statistics(self) -> PublisherStatistics:
        """Count what went through so far."""
        return PublisherStatistics(
            messages=self._messages,
            replayed=self._replayed,
            dropped=self._inbox.dropped,
            running=self._thread.is_alive,
        )

    def stop(self) -> None:
        """Send what was handed over, then close; subscribers get half a second to fetch it."""
        if not self._thread.is_alive:
            return
        self._stopping.set()
        self._wakeup.set()
        self._thread.join(2.0)
        if self._thread.is_alive:
            _log.warning("the publisher did not stop within 2 s")

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._wakeup.fileno(), zmq.POLLIN)
        poller.register(self._out, zmq.POLLIN)
        if self._admission.socket is not None:
            poller.register(self._admission.socket, zmq.POLLIN)
        try:
            while not self._stopping.is_set():
                self._thread.beat()
                self._admission.look_after()
                ready = dict(poller.poll(_REPLAY_PAUSE_MS if self._replay else LOOK_MS))
                if self._wakeup.fileno() in ready:
                    self._wakeup.clear()
                    self._send_waiting()
                if self._out in ready:
                    self._read_subscriptions()
                if self._admission.socket in ready:
                    self._admission.answer_requests(_ANSWERING_SECONDS)
                if self._replay:
                    self._replay_some()
            self._send_waiting()
        finally:
            self._admission.close()
            self._context.destroy(linger=_LINGER_MS)
            self._wakeup.close()

    def _send_waiting(self) -> None:
        delivery = self._inbox.drain()
        self._topics.skip(delivery.lost)
        for entry in delivery.entries:
            if isinstance(entry, str):
                self._topics.forget(entry)
            else:
                self._send(entry)

    def _send(self, messages: Sequence[Outgoing]) -> None:
        topics, session, listened = self._topics, self.session, bool(self._subscriptions)
        for message in messages:
            header = message.header
            name = topic_of(header)
            topic = topics[name]
            header.session = session
            header.seq = topic.next_seq
            topic.next_seq += 1
            if header.kind in KEPT:
                topic.newest = message
            if listened:
                self._send_frames(name, message)
        self._messages += len(messages)

    def _send_frames(self, name: bytes, message: Outgoing) -> None:
        # Three sends cost a third of send_multipart, and half of that without pyzmq's layer for sockets of other kinds.
        # XPUB drops whole messages, so none of them waits.
        send = super(zmq.Socket, self._out).send
        header = encode_header(message.header)  # before the first frame: what cannot be encoded must not be half sent
        send(name, _SNDMORE)
        send(header, _SNDMORE)
        send(message.payload)

    def _read_subscriptions(self) -> None:
        wanted: set[bytes] = set()
        until = time.monotonic() + _ANSWERING_SECONDS
        while time.monotonic() < until:
            try:
                frame = self._out.recv(_NOBLOCK)
            except zmq.Again:
                return
            prefix = self._subscriptions.update(frame)
            if prefix is not None and prefix not in wanted:
                wanted.add(prefix)
                self._replay.update(dict.fromkeys(self._topics.matching(prefix)))

    def _replay_some(self) -> None:
        """Send the newest messages of some topics again; in portions, so that no subscriber's queue runs over."""
        for _ in range(min(_REPLAY_CHUNK, len(self._replay))):
            name, _nothing = self._replay.popitem(last=False)
            message = self._topics.newest(name)
            if message is not None:
                self._send_frames(name, message)
                self._replayed += 1
