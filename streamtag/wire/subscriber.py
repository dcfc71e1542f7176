"""Reading what a service publishes."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import zmq

from streamtag.errors import InputError, WireError
from streamtag.keys import ClientKey, read_client_key
from streamtag.message_kinds import KINDS, MESSAGE_KINDS, STREAM_KINDS
from streamtag.wire.endpoints import connect
from streamtag.wire.messages import Message, check_stream_id, decode
from streamtag.wire.refusals import Refusals
from streamtag.wire.wakeup import Wakeup

__all__ = ["Subscriber"]

_RECEIVE_QUEUE_MESSAGES: Final = 10_000
_HEARTBEAT_MS: Final = 5_000
_HEARTBEAT_TIMEOUT_MS: Final = 15_000
_NOBLOCK: Final = int(zmq.NOBLOCK)


class Subscriber:
    """Yields the messages of a service, from the newest of each topic on.

    A service that is not there yet is waited for, and one that goes away is connected again when it returns. One
    thread reads; any thread, also a signal handler, may close.

    Args:
        endpoint: the service's endpoint, such as ``tcp://127.0.0.1:5556``.
        streams: names of the streams to hear; None for all.
        kinds: any of "scores", "event", "status" and "service"; None for all, or where `streams` are named for all
            that belong to a stream, which is all but "service". "levels",
            "audio" and "embedding" come only where they are named.
        key: a client's key, or the path of its file, where the service asks for one. A service that does not let this
            subscriber in is told of in the log, and tried again.

    Attributes:
        skipped: messages that were not of this version of the wire format and were left out.

    Raises:
        InputError: a kind does not exist, or a stream's name is not one.
        WireError: the endpoint is malformed.
        ConfigError: the key's file cannot be used.

    Example:
        >>> with streamtag.Subscriber("tcp://127.0.0.1:5556", streams=["porch"], kinds=["scores"]) as subscriber:
        ...     for message in subscriber:
        ...         print(message.header["stream"], message.header["start"], message.header["top"])
        ...         break
        porch 0.0 [{'label': 'Dog', 'score': 0.75}]
    """

    def __init__(
        self,
        endpoint: str,
        streams: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
        *,
        key: ClientKey | str | Path | None = None,
    ) -> None:
        prefixes = _prefixes(streams, kinds)
        key = read_client_key(key) if isinstance(key, str | Path) else key
        self.skipped = 0
        self._newest: dict[bytes, tuple[str, int]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.set(zmq.RCVHWM, _RECEIVE_QUEUE_MESSAGES)
        self._socket.set(zmq.SNDHWM, 0)  # only subscriptions go out, and those beyond the mark would be dropped
        self._socket.set(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
        self._socket.set(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
        if key is not None:
            key.apply(self._socket)
        self._refusals = Refusals(self._socket, endpoint)
        try:
            connect(self._socket, endpoint, "cannot subscribe to")
        except WireError:
            self._context.destroy(linger=0)
            raise
        for prefix in prefixes:
            self._socket.subscribe(prefix)
        self._wakeup = Wakeup()
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._wakeup.fileno(), zmq.POLLIN)
        self._poller.register(self._refusals.socket, zmq.POLLIN)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def follow(self, stream: str, kinds: Sequence[str]) -> None:
        """Hear more of a stream; to be called by the thread that reads.

        Raises:
            InputError: a kind does not exist, or the stream's name is not one.
        """
        prefixes = _prefixes([stream], kinds)
        with self._lock:
            for prefix in [] if self._closed else prefixes:
                self._socket.subscribe(prefix)
        self._free_if_closed()

    def leave(self, stream: str, kinds: Sequence[str]) -> None:
        """Hear no longer what `follow` asked for; to be called by the thread that reads."""
        prefixes = _prefixes([stream], kinds)
        with self._lock:
            for prefix in [] if self._closed else prefixes:
                self._socket.unsubscribe(prefix)
        self._free_if_closed()

    def receive(self, timeout_seconds: float | None = None) -> Message | None:
        """Wait for the next message; None when the time is over (None: wait without limit) or the subscriber closed."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        try:
            with self._lock:
                while not self._closed:
                    message = self._next_waiting()
                    if message is not None:
                        return message
                    left_ms = None if deadline is None else max(0, round((deadline - time.monotonic()) * 1000))
                    if left_ms == 0:
                        return None
                    rest_ms = self._refusals.rest_ms()
                    waits = [each for each in (left_ms, rest_ms) if each is not None]
                    if self._refusals.socket in dict(self._poller.poll(min(waits, default=None))):
                        self._refusals.read_events()
                    self._refusals.retry()
                return None
        finally:
            self._free_if_closed()

    def close(self) -> None:
        """Stop, from any thread; a `receive` that waits returns None and an iteration ends."""
        self._closed = True
        self._wakeup.set()
        self._free_if_closed()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Message]:
        while (message := self.receive()) is not None:
            yield message

    def _next_waiting(self) -> Message | None:
        """Take the next message that is already here, leaving out what is old or not readable."""
        while True:
            try:
                frames = self._socket.recv_multipart(_NOBLOCK)
            except zmq.Again:
                return None
            try:
                message = decode(frames)
            except WireError:
                self.skipped += 1
                continue
            missed = self._count_missed(frames[0], message)
            if missed is not None:
                return replace(message, missed=missed) if missed else message

    def _count_missed(self, topic: bytes, message: Message) -> int | None:
        """Count the messages missed just before this one; None where it is not newer than the last."""
        session, seq = message.header["session"], message.header["seq"]
        last_session, last_seq = self._newest.get(topic, (session, seq - 1))
        if last_session != session:
            last_seq = seq - 1
        elif seq <= last_seq:
            return None
        self._newest[topic] = (session, seq)
        return int(seq - last_seq - 1)

    def _free_if_closed(self) -> None:
        """Free the sockets once closed, unless a thread still reads: that thread does it when it leaves."""
        if self._closed and self._lock.acquire(blocking=False):
            try:
                self._context.destroy(linger=0)
                self._wakeup.close()
            finally:
                self._lock.release()


def _prefixes(streams: Sequence[str] | None, kinds: Sequence[str] | None) -> list[str]:
    """Name the topics to subscribe to."""
    for kind in kinds or ():
        if kind not in MESSAGE_KINDS:
            raise InputError(f"{kind!r} is not a kind of message: use {', '.join(MESSAGE_KINDS)}")
    if streams is None:
        return [f"{kind}/" for kind in kinds or KINDS]
    if isinstance(streams, str):
        raise InputError(f"streams is a list of names, such as [{streams!r}]")
    kinds = kinds or [kind for kind in KINDS if kind in STREAM_KINDS]
    asked = kinds or [kind for kind in KINDS if kind in STREAM_KINDS]
    names = [check_stream_id(stream) for stream in streams]
    of_streams = [f"{kind}/{name}/" for kind in asked if kind in STREAM_KINDS for name in names]
    return of_streams + [f"{kind}/" for kind in asked if kind not in STREAM_KINDS]
