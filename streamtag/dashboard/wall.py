"""Level and strongest label of streams that somebody looks at on the wall, a page of them at a time."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple

from streamtag.keys import ClientKey
from streamtag.threads import Worker
from streamtag.wire import ScoresHeader, Subscriber

__all__ = ["Heard", "Wall"]

_KEPT_SECONDS: Final = 15.0
"""So long a stream is listened to after it was asked for last."""
_MOST: Final = 400
"""Streams that are listened to at once: ten pages of the wall; those that were not asked for for longest go."""
_LOOK_SECONDS: Final = 0.2


class Heard(NamedTuple):
    """What the newest patch of a stream was like.

    Attributes:
        time: Unix seconds at which it ended.
        level_dbfs: its level; digital silence has -120.
        label: the label with the highest rolling score; empty where the model has none.
        score: that score.
    """

    time: float
    level_dbfs: float
    label: str
    score: float


class Wall:
    """A subscriber of its own, which hears the scores of the streams that were asked for lately and of no others."""

    def __init__(self, endpoint: str, key: ClientKey | None = None) -> None:
        """Connect, with a key where the service asks for one.

        Raises:
            WireError: The endpoint is malformed.
        """
        self._subscriber = Subscriber(endpoint, streams=[], kinds=["scores"], key=key)
        self._asked: OrderedDict[str, float] = OrderedDict()
        self._followed: set[str] = set()
        self._heard: dict[str, Heard] = {}
        self._lock = threading.Lock()
        self._thread = Worker("wall", self._run)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Close the subscriber and end the thread."""
        self._subscriber.close()
        self._thread.join(2.0)

    def newest(self, streams: Sequence[str]) -> dict[str, Heard]:
        """Return what is known of streams, from any thread, and listen to them for a while from now on."""
        now = time.monotonic()
        with self._lock:
            for stream in streams:
                self._asked[stream] = now
                self._asked.move_to_end(stream)
            while len(self._asked) > _MOST:
                self._asked.popitem(last=False)
            return {stream: self._heard[stream] for stream in streams if stream in self._heard}

    def _run(self) -> None:
        while True:
            message = self._subscriber.receive(_LOOK_SECONDS)
            if message is None and self._subscriber.closed:
                return
            self._follow_asked()
            header = None if message is None else message.typed
            if isinstance(header, ScoresHeader) and header.stream in self._followed:
                best = header.top[0] if header.top else None
                label, score = ("", 0.0) if best is None else (best.label, best.score)
                with self._lock:
                    self._heard[header.stream] = Heard(header.time, header.rms_dbfs, label, score)

    def _follow_asked(self) -> None:
        now = time.monotonic()
        with self._lock:
            while self._asked and now - next(iter(self._asked.values())) > _KEPT_SECONDS:
                self._asked.popitem(last=False)
            wanted = self._asked.keys()
            begun, left = wanted - self._followed, self._followed - wanted
            self._followed = set(wanted)
            for stream in left:
                self._heard.pop(stream, None)
        for stream in begun:
            self._subscriber.follow(stream, ["scores"])
        for stream in left:
            self._subscriber.leave(stream, ["scores"])
