"""The one thread that owns every ZeroMQ socket of the service: messages out, PCM in."""

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import zmq

from streamtag.keys import Gate
from streamtag.threads import Worker
from streamtag.wire.endpoints import bind
from streamtag.wire.inbox import Inbox
from streamtag.wire.messages import Outgoing, encode_header, topic_of
from streamtag.wire.pcm import PcmFault, PcmInput, decode_message
from streamtag.wire.subscriptions import MAX_FRAME_BYTES, Subscriptions
from streamtag.wire.topics import Topics
from streamtag.wire.wakeup import Wakeup

__all__ = ["Publisher", "PublisherStatistics"]

_log = logging.getLogger(__name__)

_INBOX_MESSAGES: Final = 20_000
_SEND_QUEUE_MESSAGES: Final = 10_000
"""Messages that wait for one subscriber; those of a subscriber that does not read are dropped beyond it."""
_PCM_QUEUE_MESSAGES: Final = 256
"""Messages that wait from one pusher; beyond it the pusher's own queue fills, and then the pusher waits."""
_PCM_FRAME_BYTES: Final = 2 << 20
"""Larger frames end the pusher's connection before they take memory; between 1 MiB and this they are faults."""
_PCM_MOST_FRAMES: Final = 16
"""So many frames of a message are kept to tell of it: a message has two."""
_REPLAY_CHUNK: Final = 500
_REPLAY_PAUSE_MS: Final = 10
_TURN_SECONDS: Final = 0.005
"""How long PCM, or subscriptions, are taken in one go, so that messages out do not wait for a flood of them."""
_LINGER_MS: Final = 500
_ZAP: Final = "inproc://zeromq.zap.01"
_SNDMORE: Final = int(zmq.SNDMORE)  # plain integers spare pyzmq an enum operation a frame
_NOBLOCK: Final = int(zmq.NOBLOCK)


@dataclass(frozen=True, slots=True)
class PublisherStatistics:
    """Counts since the start.

    Attributes:
        messages: Messages numbered and, where anybody subscribed, sent.
        replayed: Messages sent again to new subscribers.
        dropped: Messages dropped because too many waited for the publisher's thread.
        pcm_messages: Messages with PCM that came in, good or not.
        pcm_faults: Those of them that could not be used.
        running: Whether the publisher's thread lives.
    """

    messages: int
    replayed: int
    dropped: int
    pcm_messages: int
    pcm_faults: int
    running: bool


class Publisher:
    """Publishes messages on an XPUB socket with a last-value cache and takes PCM on a PULL socket.

    Args:
        endpoint: Where messages go out, ``tcp://ADDRESS:PORT`` or ``ipc://PATH``; port ``*`` chooses a free one.
        input_endpoint: Where PCM comes in; None takes none.
        on_pcm: Called in the publisher's thread with each message of PCM; it must be quick.
        gate: Whom the sockets let in; None for everybody who reaches them.
        on_failure: Told, in that thread, of an error that ended it: nothing is published any more.

    Attributes:
        endpoint: The real endpoint once started.
        input_endpoint: The real endpoint once started, or None.
        session: 8 hex digits, new for each publisher.
    """

    def __init__(
        self,
        endpoint: str,
        input_endpoint: str | None = None,
        on_pcm: Callable[[PcmInput], None] | None = None,
        *,
        gate: Gate | None = None,
        on_failure: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        self.endpoint = endpoint
        self.input_endpoint = input_endpoint
        self.session = secrets.token_hex(4)
        self._gate = gate
        self._on_pcm = on_pcm or (lambda _: None)
        self._inbox = Inbox(_INBOX_MESSAGES)
        self._topics = Topics()
        self._subscriptions = Subscriptions()
        self._replay: OrderedDict[bytes, None] = OrderedDict()
        self._stopping = threading.Event()
        self._thread = Worker("publisher", self._run, on_failure=on_failure)
        self._messages = self._replayed = self._pcm_messages = self._pcm_faults = 0

    def start(self) -> None:
        """Bind the sockets and start the thread.

        Raises:
            WireError: An endpoint is in use, malformed, or not of this machine.
        """
        self._context = zmq.Context()
        try:
            self._asked = self._guard()
            self._out = self._context.socket(zmq.XPUB)
            self._out.set(zmq.XPUB_VERBOSE, 1)
            self._out.set(zmq.SNDHWM, _SEND_QUEUE_MESSAGES)
            self._out.set(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
            # Where ZeroMQ stops reading because much waits, a peer with heartbeats that is reset ends this process.
            self._out.set(zmq.RCVHWM, 0)
            self._notice_lost_peers(self._out)
            if self._gate is not None:
                self._gate.guard(self._out)
            self.endpoint = bind(self._out, self.endpoint, "cannot publish on")
            self._in: zmq.Socket[bytes] | None = None
            if self.input_endpoint is not None:
                self._in = self._context.socket(zmq.PULL)
                self._in.set(zmq.RCVHWM, _PCM_QUEUE_MESSAGES)
                self._in.set(zmq.MAXMSGSIZE, _PCM_FRAME_BYTES)
                self._notice_lost_peers(self._in)
                if self._gate is not None:
                    self._gate.guard(self._in)
                self.input_endpoint = bind(self._in, self.input_endpoint, "cannot take PCM on")
        except BaseException:
            self._context.destroy(linger=0)
            raise
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

    def is_watched(self, stream: str) -> bool:
        """Tell, in any thread, whether somebody subscribes to the levels of a stream by name, or to all levels."""
        return self._subscriptions.is_watched(stream)

    def statistics(self) -> PublisherStatistics:
        """Count what went through so far."""
        return PublisherStatistics(
            messages=self._messages,
            replayed=self._replayed,
            dropped=self._inbox.dropped,
            pcm_messages=self._pcm_messages,
            pcm_faults=self._pcm_faults,
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
            _log.warning("the publisher did not stop within 2 s; a caller's on_pcm holds it")

    @staticmethod
    def _notice_lost_peers(socket: "zmq.Socket[bytes]") -> None:
        """Let the kernel end connections whose other side is gone without a word; every ZeroMQ client bears that."""
        socket.set(zmq.TCP_KEEPALIVE, 1)
        socket.set(zmq.TCP_KEEPALIVE_IDLE, 30)
        socket.set(zmq.TCP_KEEPALIVE_INTVL, 10)
        socket.set(zmq.TCP_KEEPALIVE_CNT, 3)

    def _guard(self) -> "zmq.Socket[bytes] | None":
        """Open the socket at which ZeroMQ asks whether a key may come in; before any other is bound."""
        if self._gate is None:
            return None
        asked: zmq.Socket[bytes] = self._context.socket(zmq.REP)
        asked.bind(_ZAP)
        return asked

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._wakeup.fileno(), zmq.POLLIN)
        poller.register(self._out, zmq.POLLIN)
        if self._in is not None:
            poller.register(self._in, zmq.POLLIN)
        if self._asked is not None:
            poller.register(self._asked, zmq.POLLIN)
        try:
            while not self._stopping.is_set():
                ready = dict(poller.poll(_REPLAY_PAUSE_MS if self._replay else None))
                if self._wakeup.fileno() in ready:
                    self._wakeup.clear()
                    self._send_waiting()
                if self._out in ready:
                    self._take_subscriptions()
                if self._in is not None and self._in in ready:
                    self._take_pcm(self._in)
                if self._asked is not None and self._gate is not None and self._asked in ready:
                    self._let_in(self._asked, self._gate)
                if self._replay:
                    self._replay_some()
            self._send_waiting()
        finally:
            self._context.destroy(linger=_LINGER_MS)
            self._wakeup.close()

    def _send_waiting(self) -> None:
        delivery = self._inbox.take()
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

    def _take_subscriptions(self) -> None:
        wanted: set[bytes] = set()
        until = time.monotonic() + _TURN_SECONDS
        while time.monotonic() < until:
            try:
                frame = self._out.recv(_NOBLOCK)
            except zmq.Again:
                return
            prefix = self._subscriptions.take(frame)
            if prefix is not None and prefix not in wanted:
                wanted.add(prefix)
                self._replay.update(dict.fromkeys(self._topics.matching(prefix)))

    @staticmethod
    def _let_in(asked: "zmq.Socket[bytes]", gate: Gate) -> None:
        until = time.monotonic() + _TURN_SECONDS
        while time.monotonic() < until:
            try:
                request = asked.recv_multipart(_NOBLOCK)
            except zmq.Again:
                return
            asked.send_multipart(gate.answer(request))

    def _replay_some(self) -> None:
        """Send the newest messages of some topics again; in portions, so that no subscriber's queue runs over."""
        for _ in range(min(_REPLAY_CHUNK, len(self._replay))):
            name, _nothing = self._replay.popitem(last=False)
            message = self._topics.newest(name)
            if message is not None:
                self._send_frames(name, message)
                self._replayed += 1

    def _take_pcm(self, socket: "zmq.Socket[bytes]") -> None:
        until = time.monotonic() + _TURN_SECONDS
        while time.monotonic() < until:
            # Frame by frame, not copied: recv_multipart costs three times as much.
            try:
                frame = socket.recv(_NOBLOCK, copy=False)
            except zmq.Again:
                return
            frames: list[bytes | memoryview] = [frame.bytes]
            while frame.more:
                frame = socket.recv(_NOBLOCK, copy=False)
                if len(frames) < _PCM_MOST_FRAMES:
                    frames.append(frame.buffer)
            self._pcm_messages += 1
            sender = "" if self._gate is None else str(frame.get("User-Id"))
            pcm = decode_message(frames, sender)
            if isinstance(pcm, PcmFault):
                self._pcm_faults += 1
            try:
                self._on_pcm(pcm)
            except Exception:  # one stream's failure must not end the others
                _log.exception("PCM of stream %s could not be handed on", pcm.stream)
