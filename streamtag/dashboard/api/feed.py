"""What the service says now: every stream's state, and events as they come."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from streamtag.keys import ClientKey
from streamtag.limits import PRIVATE_PREFIX
from streamtag.threads import Worker
from streamtag.wire import EventHeader, Message, ServiceHeader, StatusHeader, Subscriber

__all__ = ["Feed", "Told"]

_MOST_EVENTS: Final = 10_000
_SILENT_SECONDS: Final = 7.0
"""The service speaks at least every 5 s."""
_LOOK_SECONDS: Final = 0.1
_GONE_SECONDS: Final = 10.0


class Told(NamedTuple):
    """An onset or an end, and how many were told before it."""

    number: int
    header: EventHeader


class Feed:
    """A subscriber of its own, in a thread of its own; any thread may ask."""

    def __init__(self, endpoint: str, key: ClientKey | None = None) -> None:
        """Connect, with a key where the service asks for one; a service that is not there yet is waited for.

        Raises:
            WireError: The endpoint is malformed.
        """
        self._subscriber = Subscriber(endpoint, kinds=["service", "status", "event"], key=key)
        self._service: ServiceHeader | None = None
        self._known: frozenset[str] = frozenset()
        self._private: frozenset[str] = frozenset()
        self._streams: dict[str, StatusHeader] = {}
        self._absent: dict[str, float] = {}
        self._events: deque[Told] = deque(maxlen=_MOST_EVENTS)
        self._last: dict[str, EventHeader] = {}
        self._first: set[str] = set()
        self._count = 0
        self._began = time.time()
        self._heard = 0.0
        self._listeners: list[Callable[[Told], None]] = []
        self._lock = threading.Lock()
        self._thread = Worker("api", self._run)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Close the subscriber and end the thread."""
        self._subscriber.close()
        self._thread.join(2.0)

    @property
    def connection(self) -> Literal["waiting", "connected", "lost"]:
        """Whether the service is heard."""
        if self._service is None:
            return "waiting"
        return "connected" if time.monotonic() - self._heard < _SILENT_SECONDS else "lost"

    @property
    def service(self) -> ServiceHeader | None:
        """What the service said last of itself."""
        return self._service

    def streams(self) -> list[StatusHeader]:
        """Return the newest state of each public stream, by name."""
        with self._lock:
            return [status for _, status in sorted(self._streams.items())]

    def events(self) -> list[Told]:
        """Return what was told lately, oldest first."""
        with self._lock:
            return list(self._events)

    def last_events(self) -> dict[str, EventHeader]:
        """Return the newest onset or end of each public stream, also one of before the page began."""
        with self._lock:
            return dict(self._last)

    def follow(self, listener: Callable[[Told], None]) -> list[Told]:
        """Call `listener` with what is told from now on, in the feed's thread; return what was told before."""
        with self._lock:
            self._listeners.append(listener)
            return list(self._events)

    def leave(self, listener: Callable[[Told], None]) -> None:
        """Call it no more."""
        with self._lock:
            self._listeners.remove(listener)

    def _run(self) -> None:
        while True:
            message = self._subscriber.receive(_LOOK_SECONDS)
            if message is not None:
                with self._lock:
                    self._handle(message)
            elif self._subscriber.closed:
                return

    def _handle(self, message: Message) -> None:
        header = message.typed
        if isinstance(header, ServiceHeader):
            self._handle_service(header)
        elif isinstance(header, StatusHeader | EventHeader) and not self._is_private(header.stream):
            if isinstance(header, StatusHeader):
                self._streams[header.stream] = header
            else:
                self._handle_event(header)

    def _handle_service(self, header: ServiceHeader) -> None:
        now = time.monotonic()
        self._service, self._heard = header, now
        self._known, self._private = frozenset(header.streams), frozenset(header.private)
        for stream in self._known:
            self._absent.pop(stream, None)
        for stream in self._streams.keys() - self._known:
            # One that is told of before the service lists it is not gone.
            if now - self._absent.setdefault(stream, now) >= _GONE_SECONDS:
                del self._streams[stream], self._absent[stream]
                self._last.pop(stream, None)
        for stream in self._private & self._streams.keys():
            del self._streams[stream]
            self._last.pop(stream, None)

    def _handle_event(self, header: EventHeader) -> None:
        self._last[header.stream] = header
        is_old = header.stream not in self._first and header.time < self._began
        self._first.add(header.stream)
        if is_old or header.onset_time is None:
            return  # the service repeats its newest to whoever begins to listen
        told = Told(self._count, header)
        self._count += 1
        self._events.append(told)
        for listener in self._listeners:
            listener(told)

    def _is_private(self, stream: str) -> bool:
        """Tell whether it is a visitor's own microphone, also before the service says so."""
        if stream in self._known:
            return stream in self._private
        return stream.startswith(PRIVATE_PREFIX)
