"""The dashboard's one subscriber of the service, however many pages are open."""

import json
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from streamtag.dashboard.packing import pack_backlog, pack_levels, pack_scores
from streamtag.dashboard.recent import RecentStream
from streamtag.keys import ClientKey
from streamtag.limits import PRIVATE_PREFIX
from streamtag.threads import Worker
from streamtag.wire import Message, Subscriber

__all__ = ["Connection", "Hub", "Viewer"]

Connection = Literal["waiting", "connected", "lost"]

MOST_STREAMS: Final = 32
"""Streams of which the last hour is remembered though nobody looks at them."""
TIMELINE_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 0.1
_KINDS: Final = ("scores", "event", "status")

logger = logging.getLogger(__name__)


class Viewer(Protocol):
    """Whoever is told what comes; called in the hub's thread, and must not wait."""

    stream: str

    def offer(self, message: str | bytes) -> None:
        """Take a message for the page."""


class Hub:
    """Reads what the service publishes, remembers the recent, and hands the new to the viewers."""

    def __init__(self, endpoint: str, key: ClientKey | None = None, *, silent_seconds: float = 7.0) -> None:
        """Connect, with a key where the service asks for one; a service that is not there yet is waited for.

        Args:
            endpoint: Where the service publishes.
            key: A client's, where the service asks for one.
            silent_seconds: After how long without a word, which a service says every 5 s, it is lost.

        Raises:
            WireError: The endpoint is malformed.
        """
        self.endpoint = endpoint
        self.key = key
        self._silent_seconds = silent_seconds
        self._subscriber = Subscriber(endpoint, kinds=["service"], key=key)
        self._connection: Connection = "waiting"
        self._service: dict[str, Any] | None = None
        self._streams: dict[str, RecentStream] = {}
        self._recorded: set[str] = set()
        self._watched: Counter[str] = Counter()
        self._changes: deque[Callable[[], None]] = deque()
        self._viewers: list[Viewer] = []
        self._lock = threading.RLock()
        self._heard = 0.0
        self._thread = Worker("hub", self._run)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Close the subscriber and end the thread."""
        self._subscriber.close()
        self._thread.join(2.0)

    @property
    def service(self) -> dict[str, Any] | None:
        """The newest message about the service, None before the first and while the service is away."""
        return self._service if self._connection == "connected" else None

    def labels(self, stream: str = "") -> list[str]:
        """Return the labels of a stream's model in the order of its scores, as far as they are known.

        Of a stream of which nothing was heard, or of none, they are those of the service's default model.
        """
        service, recent = self._service, self._streams.get(stream)
        if service is None:
            return []
        for model in service.get("models", {}).values():
            if recent is not None and model["labels_hash"] == recent.labels_hash:
                return list(model["labels"])
        return list(service["labels"])

    def every_label(self) -> list[str]:
        """Return the labels of all models, each once; first those of the service's default model."""
        service = self._service or {"labels": []}
        models = service.get("models", {}).values()
        return list(dict.fromkeys([*service["labels"], *(label for model in models for label in model["labels"])]))

    def streams(self) -> list[str]:
        """Return the names of all streams that everybody may see."""
        service = self._service
        if service is None:
            return []
        private = service.get("private")
        if private is None:  # a service of before it told
            private = [name for name in service["streams"] if name.startswith(PRIVATE_PREFIX)]
        return [name for name in service["streams"] if name not in private]

    def has(self, stream: str) -> bool:
        """Tell whether the service has a stream, a private one too."""
        service = self.service
        return service is not None and stream in service["streams"]

    def add(self, viewer: Viewer) -> None:
        """Tell a viewer how things stand, and from now on what is new."""
        with self._lock:
            self._viewers.append(viewer)
            viewer.offer(self._service_text())

    def remove(self, viewer: Viewer) -> None:
        """Tell a viewer nothing more."""
        with self._lock:
            self._viewers.remove(viewer)
        self._unwatch(viewer)

    def watch(self, viewer: Viewer, stream: str) -> None:
        """Show a viewer another stream from now on: what is known of it first."""
        self._unwatch(viewer)
        with self._lock:
            viewer.stream = stream
            self._watched[stream] += 1
            recent = self._streams.get(stream)
            if recent is not None:
                times, _, scores = recent.scores(TIMELINE_SECONDS)
                viewer.offer(json.dumps({"kind": "stream", "stream": stream, "status": recent.status}))
                viewer.offer(json.dumps({"kind": "events", "events": list(recent.events)}))
                viewer.offer(self._labels_text(stream))
                viewer.offer(pack_backlog(times, scores))
            else:
                viewer.offer(json.dumps({"kind": "stream", "stream": stream, "status": None}))
                viewer.offer(json.dumps({"kind": "events", "events": []}))
            if self._watched[stream] == 1:
                self._changes.append(lambda: self._follow_levels(stream))

    def scores(
        self, stream: str, seconds: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float16]]:
        """Return a stream's recent scores as `RecentStream.scores` does; empty where nothing is known of it."""
        with self._lock:
            recent = self._streams.get(stream)
            return RecentStream().scores(0.0) if recent is None else recent.scores(seconds)

    def status(self, stream: str) -> dict[str, Any] | None:
        """Return a stream's newest status."""
        with self._lock:
            recent = self._streams.get(stream)
            return None if recent is None else recent.status

    def _unwatch(self, viewer: Viewer) -> None:
        with self._lock:
            stream, viewer.stream = viewer.stream, ""
            if not stream:
                return
            self._watched[stream] -= 1
            if self._watched[stream] <= 0:
                del self._watched[stream]
                self._changes.append(lambda: self._leave_levels(stream))

    def _run(self) -> None:
        while True:
            message = self._subscriber.receive(_LOOK_SECONDS)
            while self._changes:
                self._changes.popleft()()
            if message is not None:
                with self._lock:
                    self._handle(message)
            elif self._subscriber.closed:
                return
            if self._connection == "connected" and time.monotonic() - self._heard > self._silent_seconds:
                self._set_connection("lost")

    def _handle(self, message: Message) -> None:
        self._heard = time.monotonic()
        header = message.header
        if header["kind"] == "service":
            self._handle_service(header)
            return
        stream = header["stream"]
        recent = self._streams.get(stream)
        if recent is None:
            return
        if header["kind"] == "scores":
            before = recent.labels_hash
            recent.add_scores(message)
            if recent.labels_hash != before:
                self._send(stream, lambda: self._labels_text(stream))
            self._send(stream, lambda: pack_scores(message))
        elif header["kind"] == "levels":
            self._send(stream, lambda: pack_levels(message))
        elif header["kind"] == "event":
            event = recent.add_event(header)
            self._send(stream, lambda: json.dumps({"kind": "event", **event}))
        else:
            recent.status = header
            self._send(stream, lambda: json.dumps({"kind": "stream", "stream": stream, "status": header}))

    def _handle_service(self, header: dict[str, Any]) -> None:
        before, self._service = self._service, header
        if before is None or _label_sets(before) != _label_sets(header):
            self._forget(list(self._streams))
            before = None
        if before is not None and before["session"] != header["session"]:
            for recent in self._streams.values():
                recent.begin_session()
        self._record(self.streams()[:MOST_STREAMS])
        keys = ("session", "streams", "states", "private", "model", "runtime", "input")
        if before is None or self._connection != "connected" or any(before.get(key) != header.get(key) for key in keys):
            self._set_connection("connected")

    def _set_connection(self, connection: Connection) -> None:
        if connection != self._connection:
            logger.info("the service at %s is %s", self.endpoint, connection)
        self._connection = connection
        with self._lock:
            text = self._service_text()
            for viewer in self._viewers:
                viewer.offer(text)

    def _service_text(self) -> str:
        service = self._service
        told: dict[str, Any] = {"kind": "service", "state": self._connection, "endpoint": self.endpoint}
        if service is not None:
            told |= {key: service[key] for key in ("session", "model", "runtime", "version")}
            told |= {"labels": self.every_label()}
            told |= {"streams": self.streams(), "states": service.get("states", {})}
            told |= {"takes_sound": service.get("input") is not None}
        return json.dumps(told)

    def _labels_text(self, stream: str) -> str:
        return json.dumps({"kind": "labels", "labels": self.labels(stream)})

    def _send(self, stream: str, make: Callable[[], str | bytes]) -> None:
        viewers = [viewer for viewer in self._viewers if viewer.stream == stream]
        if viewers:
            message = make()
            for viewer in viewers:
                viewer.offer(message)

    def _record(self, names: list[str]) -> None:
        """Follow the streams that the service has now, and those that somebody watches."""
        wanted = set(names)
        for name in wanted - self._recorded:
            self._recorded.add(name)
            self._follow(name)
        for name in self._recorded - wanted:
            self._recorded.discard(name)
            if name not in self._watched:
                self._forget([name])

    def _follow(self, stream: str) -> None:
        if stream not in self._streams:
            self._streams[stream] = RecentStream()
            self._subscriber.follow(stream, _KINDS)

    def _forget(self, streams: list[str]) -> None:
        for stream in streams:
            self._recorded.discard(stream)
            if self._streams.pop(stream, None) is not None:
                self._subscriber.leave(stream, _KINDS)
            if self._watched[stream] > 0:
                self._changes.append(lambda stream=stream: self._follow(stream))  # type: ignore[misc]

    def _follow_levels(self, stream: str) -> None:
        with self._lock:
            self._follow(stream)
            self._subscriber.follow(stream, ["levels"])

    def _leave_levels(self, stream: str) -> None:
        with self._lock:
            self._subscriber.leave(stream, ["levels"])
            if stream not in self._recorded and stream not in self._watched:
                self._forget([stream])


def _label_sets(service: dict[str, Any]) -> dict[str, str]:
    """Return the hash of each model's labels, by its name."""
    models = {name: model["labels_hash"] for name, model in service.get("models", {}).items()}
    return {"default": service["labels_hash"], **models}
