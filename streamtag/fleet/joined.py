"""The endpoint in front of all nodes: what each tells of the streams that are its own, and the newest of each topic."""

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import zmq

from streamtag.errors import WireError
from streamtag.keys import ClientKey, ServerKeys
from streamtag.message_kinds import KINDS, ON_REQUEST
from streamtag.threads import Worker
from streamtag.wire.admission import LOOK_MS, open_publishing
from streamtag.wire.endpoints import connect
from streamtag.wire.messages import Header, ServiceHeader, decode, encode_header, topic_of
from streamtag.wire.subscriptions import Subscriptions
from streamtag.wire.wakeup import Wakeup

__all__ = ["Heard", "JoinedWire"]

_QUEUE_MESSAGES: Final = 10_000
_BATCH_MESSAGES: Final = 500
_REPLAY_PAUSE_MS: Final = 10
_LINGER_MS: Final = 500
_NOBLOCK: Final = int(zmq.NOBLOCK)
_SERVICE: Final = b"service/"
_ON_REQUEST: Final = tuple(f"{kind}/".encode("ascii") for kind in ON_REQUEST)
_KEPT: Final = tuple(f"{kind}/".encode("ascii") for kind in KINDS)

logger = logging.getLogger(__name__)


class Heard(NamedTuple):
    """What was heard of a node: when last anything, in monotonic seconds, and what its service says of itself."""

    at: float
    service: ServiceHeader | None


class JoinedWire:
    """A thread that hears every node and tells whoever subscribes; other threads say whom to hear.

    Messages go through as they are, with the session and the number that the node gave them. What a node tells of a
    stream that is not its own any more is left out: nobody hears a stream twice.

    Attributes:
        endpoint: The real endpoint once started.
        session: Of what is told here.
    """

    def __init__(
        self, endpoint: str, session: str, keys: ServerKeys | None, on_failure: Callable[[BaseException], None]
    ) -> None:
        """Prepare it.

        Args:
            endpoint: Where messages of all nodes go out.
            session: 8 hex digits, new at each start.
            keys: Whom the socket lets in, and whose key opens the nodes.
            on_failure: Told, in that thread, of an error that ended it.
        """
        self.endpoint = endpoint
        self.session = session
        self._keys = keys
        self._key: ClientKey | None = None if keys is None else keys.own
        self._commands: deque[Callable[[], None]] = deque()
        self._owners: Mapping[str, str] = {}
        self._heard: dict[str, Heard] = {}
        self._sockets: dict[str, zmq.Socket[bytes]] = {}
        self._newest: dict[bytes, list[bytes]] = {}
        self._numbers: dict[bytes, int] = {}
        self._asked: set[bytes] = set()  # what is made on request alone
        self._subscriptions = Subscriptions()
        self._replay: OrderedDict[bytes, None] = OrderedDict()
        self._stopping = threading.Event()
        self._thread = Worker("joined", self._run, on_failure=on_failure)

    def start(self) -> None:
        """Bind the socket and start the thread.

        Raises:
            WireError: The endpoint is in use, malformed, or not of this machine.
        """
        self._context = zmq.Context()
        self._admission, self._out = open_publishing(self._context, self._keys, self.endpoint)
        self.endpoint = self._out.getsockopt_string(zmq.LAST_ENDPOINT)
        self._wakeup = Wakeup()
        self._poller = zmq.Poller()
        self._thread.start()

    def hear(self, node: str, endpoint: str) -> None:
        """Begin to hear a node, from any thread."""
        self._do(partial(self._connect, node, endpoint))

    def leave(self, node: str) -> None:
        """Hear a node no longer."""
        self._do(partial(self._disconnect, node))

    def go_by(self, owners: Mapping[str, str]) -> None:
        """Take over whose each stream is; `forget` drops what is kept of those that are gone."""
        self._owners = dict(owners)

    def forget(self, stream: str) -> None:
        """Drop what is kept of a stream that is gone."""
        self._do(partial(self._drop, f"/{stream}/".encode("ascii")))

    def publish(self, header: Header) -> None:
        """Publish a message of our own."""
        self._do(partial(self._publish, header))

    def heard(self) -> dict[str, Heard]:
        """Return what was heard of each node so far."""
        return dict(self._heard)

    def stop(self) -> None:
        """Send what was handed over, then close."""
        self._stopping.set()
        self._wakeup.set()
        self._thread.join(2.0)

    def _do(self, command: Callable[[], None]) -> None:
        self._commands.append(command)
        self._wakeup.set()

    def _run(self) -> None:
        self._poller.register(self._wakeup.fileno(), zmq.POLLIN)
        self._poller.register(self._out, zmq.POLLIN)
        if self._admission.socket is not None:
            self._poller.register(self._admission.socket, zmq.POLLIN)
        try:
            while not self._stopping.is_set():
                self._admission.look_after()
                ready = dict(self._poller.poll(_REPLAY_PAUSE_MS if self._replay else LOOK_MS))
                if self._wakeup.fileno() in ready:
                    self._wakeup.clear()
                self._work_off()
                for node, socket in list(self._sockets.items()):
                    if socket in ready:
                        self._pass_on(node, socket)
                if self._out in ready:
                    self._read_subscriptions()
                if self._admission.socket in ready:
                    self._admission.answer_requests(0.005)
                self._replay_some()
            self._work_off()
        finally:
            self._admission.close()
            self._context.destroy(linger=_LINGER_MS)
            self._wakeup.close()

    def _work_off(self) -> None:
        while self._commands:
            self._commands.popleft()()

    def _connect(self, node: str, endpoint: str) -> None:
        self._disconnect(node)
        socket = self._context.socket(zmq.SUB)
        socket.set(zmq.RCVHWM, _QUEUE_MESSAGES)
        socket.set(zmq.SNDHWM, 0)
        socket.set(zmq.RECONNECT_IVL_MAX, 1000)
        if self._key is not None:
            self._key.apply(socket)
        for prefix in (*_KEPT, *self._asked):
            socket.subscribe(prefix)
        try:
            connect(socket, endpoint, "cannot hear the node at")
        except WireError as error:
            socket.close(linger=0)
            logger.warning("node %s: %s", node, error)
            return
        self._sockets[node] = socket
        self._poller.register(socket, zmq.POLLIN)

    def _disconnect(self, node: str) -> None:
        socket = self._sockets.pop(node, None)
        self._heard.pop(node, None)
        if socket is not None:
            self._poller.unregister(socket)
            socket.close(linger=0)

    def _pass_on(self, node: str, socket: "zmq.Socket[bytes]") -> None:
        before = self._heard.get(node)
        service = None if before is None else before.service
        for _ in range(_BATCH_MESSAGES):
            try:
                frames = socket.recv_multipart(_NOBLOCK)
            except zmq.Again:
                break
            if len(frames) != 3:
                continue
            topic = frames[0]
            if topic == _SERVICE:
                service = _service(frames) or service
                continue
            stream = topic.partition(b"/")[2].removesuffix(b"/").decode("ascii", "replace")
            if self._owners.get(stream) == node:
                self._send(topic, frames)
        self._heard[node] = Heard(time.monotonic(), service)

    def _send(self, topic: bytes, frames: list[bytes]) -> None:
        if topic.startswith(_KEPT):
            self._newest[topic] = frames
        if self._subscriptions:
            self._out.send_multipart(frames)

    def _publish(self, header: Header) -> None:
        topic = topic_of(header)
        header.session = self.session
        header.seq = self._numbers.get(topic, 0)
        self._numbers[topic] = header.seq + 1
        self._send(topic, [topic, encode_header(header), b""])

    def _drop(self, end: bytes) -> None:
        for topic in [topic for topic in self._newest if topic.endswith(end)]:
            del self._newest[topic]

    def _read_subscriptions(self) -> None:
        while True:
            try:
                frame = self._out.recv(_NOBLOCK)
            except zmq.Again:
                return
            prefix = self._subscriptions.update(frame)
            if prefix is not None:
                self._replay.update(dict.fromkeys(topic for topic in self._newest if topic.startswith(prefix)))
            if frame[1:].startswith(_ON_REQUEST):
                self._ask(frame[1:], is_wanted=frame[:1] == b"\x01")

    def _ask(self, prefix: bytes, *, is_wanted: bool) -> None:
        """Have the nodes make what they make on request alone, while somebody wants it."""
        if is_wanted == (prefix in self._asked):
            return
        (self._asked.add if is_wanted else self._asked.discard)(prefix)
        for socket in self._sockets.values():
            (socket.subscribe if is_wanted else socket.unsubscribe)(prefix)

    def _replay_some(self) -> None:
        for _ in range(min(_BATCH_MESSAGES, len(self._replay))):
            topic, _nothing = self._replay.popitem(last=False)
            if topic in self._newest:
                self._out.send_multipart(self._newest[topic])


def _service(frames: list[bytes]) -> ServiceHeader | None:
    try:
        found: Any = decode(frames).typed
    except WireError:
        return None
    return found if isinstance(found, ServiceHeader) else None
