"""Those who use a service and a page as they are meant to be used, and count what they get."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import numpy as np
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from scripts.attack.target import Target
from streamtag.errors import WireError
from streamtag.wire import PcmPusher, Subscriber

__all__ = ["Honest", "Seen"]

SOURCE = "127.0.0.2"
PUSHED = "pushed"
_RATE = 16_000
_BLOCK_SECONDS = 0.1
_VISIT_SECONDS = 0.5
_PATCH_SECONDS = 0.96
_SCORES = 2
"""The kind of a binary message with scores, to a page."""


@dataclass(slots=True)
class Seen:
    """What they got in a while."""

    delays: list[float] = field(default_factory=list)
    """From a patch's last sample to its message, in seconds."""
    visits: list[float] = field(default_factory=list)
    """How long the page took for a search."""
    views: list[float] = field(default_factory=list)
    """Between two messages with scores to a page that looks at a stream."""
    lost: list[str] = field(default_factory=list)
    """What should have come and did not."""


class Honest:
    """Listens to all streams, pushes one, looks at one on the page, and searches the history; each in a thread.

    Attributes:
        patches: How many were heard of each stream.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._seen = Seen()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self.patches: dict[str, int] = defaultdict(int)
        self._threads = [
            threading.Thread(target=self._guarded, args=(each,), daemon=True)
            for each in (self._listen, self._push, self._look, self._visit)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def drain(self) -> Seen:
        """Return what was seen since the last time."""
        with self._lock:
            seen, self._seen = self._seen, Seen()
        return seen

    def stop(self) -> None:
        """Leave off."""
        self._ended.set()
        for thread in self._threads:
            thread.join(20)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # whoever is thrown out has lost something
            if not self._ended.is_set():
                self._lose(f"{work.__name__.strip('_')}: {type(error).__name__}: {error}")

    def _lose(self, what: str) -> None:
        with self._lock:
            self._seen.lost.append(what)

    def _listen(self) -> None:
        lost: dict[str, int] = defaultdict(int)
        last: dict[str, float] = {}
        sessions: set[str] = set()
        with Subscriber(self._target.endpoint, kinds=["scores", "service"], key=self._target.honest_key) as subscriber:
            while not self._ended.is_set():
                message = subscriber.receive(5.0)
                if message is None:
                    self._lose("nothing was heard of the service for 5 s")
                    continue
                header = message.header
                sessions.add(header["session"])
                if len(sessions) > 1:
                    self._lose("the service began anew")
                    sessions = {header["session"]}
                if header["kind"] == "service":
                    self._count(lost, "patches dropped", header["dropped_patches"])
                    continue
                stream = header["stream"]
                if message.missed:
                    self._lose(f"{message.missed} messages of {stream}")
                if stream in last and header["start"] - last[stream] > _PATCH_SECONDS * 1.01:
                    self._lose(f"{header['start'] - last[stream] - _PATCH_SECONDS:.2f} s of {stream}")
                last[stream] = header["start"]
                self._count(lost, f"samples lost of {stream}", header["lost_samples"])
                self.patches[stream] += 1
                with self._lock:
                    self._seen.delays.append(time.time() - header["time"])

    def _count(self, before: dict[str, int], what: str, count: int) -> None:
        if count > before[what]:
            self._lose(f"{count - before[what]} {what}")
            before[what] = count

    def _push(self) -> None:
        block = np.zeros(round(_RATE * _BLOCK_SECONDS), np.int16)
        due = time.monotonic()
        with PcmPusher(self._target.input, key=self._target.honest_key) as pusher:
            while not self._ended.is_set():
                try:
                    pusher.push(PUSHED, block, _RATE)
                except WireError as error:
                    self._lose(f"push: {error}")
                due += _BLOCK_SECONDS
                time.sleep(max(0.0, due - time.monotonic()))
            pusher.end(PUSHED)

    def _look(self) -> None:
        cookie = self._target.cookie(SOURCE)
        address = f"ws://127.0.0.1:{self._target.page}/streamtag/live"
        with connect(address, additional_headers={"Cookie": cookie}, source_address=(SOURCE, 0)) as socket:
            socket.send(f'{{"watch": "{self._target.streams[0]}"}}')
            before = time.monotonic()
            while not self._ended.is_set():
                try:
                    message = socket.recv(10.0)
                except TimeoutError:
                    self._lose("the page showed nothing for 10 s")
                    continue
                except WebSocketException as error:
                    self._lose(f"the page left: {error}")
                    return
                if isinstance(message, bytes) and message[0] == _SCORES:
                    now = time.monotonic()
                    with self._lock:
                        self._seen.views.append(now - before)
                    before = now

    def _visit(self) -> None:
        cookie = self._target.cookie(SOURCE)
        while not self._ended.wait(_VISIT_SECONDS):
            began = time.monotonic()
            with self._target.client(SOURCE) as client:
                try:
                    status = client.get("/streamtag/history", headers={"Cookie": cookie}).status_code
                except httpx.HTTPError as error:
                    self._lose(f"a visit: {type(error).__name__}")
                    continue
            if status != 200:
                self._lose(f"a visit was answered with {status}")
            with self._lock:
                self._seen.visits.append(time.monotonic() - began)
