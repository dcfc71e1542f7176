import logging
import threading
import time
from collections.abc import Callable

from streamtag.audio import Block
from streamtag.engine.stream import Change, EngineStream
from streamtag.errors import InputError
from streamtag.wire.pcm import PcmBlock, PcmEnd, PcmInput

__all__ = ["STALLED_SECONDS", "PcmStreams"]

STALLED_SECONDS = 10.0
"""A stream that got no message for so long is stalled."""
_FORGET_SECONDS = 60.0

logger = logging.getLogger(__name__)


class _Pushed:
    """A stream that another program pushes."""

    def __init__(self, stream: EngineStream) -> None:
        self.stream = stream
        self.next_start = 0
        self.last = time.monotonic()
        self.live = False
        self.ended = False
        self.fault = ""  # the first message that could not be used, and why


class PcmStreams:
    """The streams that other programs push over ZeroMQ: made by their first message, ended by their last."""

    def __init__(
        self,
        create: Callable[[str], EngineStream | None],
        forget: Callable[[EngineStream], None],
    ) -> None:
        """Take streams up and let them go through the service.

        Args:
            create: makes a stream, or returns None where no more can be served or the name is another source's.
            forget: lets go of a stream that ended a while ago.
        """
        self._create = create
        self._forget = forget
        self._pushed: dict[str, _Pushed] = {}
        self._refused: set[str] = set()
        self._lock = threading.Lock()  # between the thread that brings sound and the one that looks for stalled streams
        self._closed = False

    def declare(self, stream: EngineStream) -> None:
        """Expect a stream that the configuration names."""
        with self._lock:
            self._pushed[stream.id] = _Pushed(stream)

    def withdraw(self, stream: EngineStream) -> None:
        """Expect a stream no longer."""
        with self._lock:
            self._pushed.pop(stream.id, None)

    def take(self, message: PcmInput) -> None:
        """Take in one message; called in the thread that owns the socket."""
        with self._lock:
            if self._closed:
                return
            pushed = self._find(message)
            if pushed is None:
                return
            pushed.last = time.monotonic()
            if isinstance(message, PcmBlock):
                self._feed(pushed, message)
            elif isinstance(message, PcmEnd):
                self._end(pushed, "")
            else:
                self._blame(pushed, message.reason)

    def look(self) -> None:
        """Find streams that stalled, and those that ended long ago; to be called about once a second."""
        now = time.monotonic()
        gone = []
        with self._lock:
            for pushed in self._pushed.values():
                idle = now - pushed.last
                if pushed.live and idle >= STALLED_SECONDS:
                    pushed.live = False
                    reason = f"no audio for {STALLED_SECONDS:.0f} s"
                    pushed.stream.put([*pushed.stream.patcher.interrupt(), Change("stalled", reason)])
                elif pushed.ended and idle >= _FORGET_SECONDS:
                    gone.append(pushed.stream)
            for stream in gone:
                del self._pushed[stream.id]
        for stream in gone:
            self._forget(stream)

    def close(self) -> None:
        """End all streams and take nothing more."""
        with self._lock:
            self._closed = True
            for pushed in self._pushed.values():
                if pushed.live:
                    self._end(pushed, "the service stopped")

    def _find(self, message: PcmInput) -> _Pushed | None:
        name = message.stream
        if name is None:
            logger.warning("a message at the PCM input was dropped: %s", getattr(message, "reason", ""))
            return None
        pushed = self._pushed.get(name)
        if pushed is not None and pushed.ended and isinstance(message, PcmBlock):
            self._forget(pushed.stream)
            pushed = None
        if pushed is None and not isinstance(message, PcmEnd):
            stream = self._create(name)
            if stream is None:
                if name not in self._refused:
                    self._refused.add(name)
                    logger.warning("PCM for stream %s is refused: the name is taken, or max_streams is reached", name)
                return None
            pushed = self._pushed[name] = _Pushed(stream)
        return pushed

    def _feed(self, pushed: _Pushed, message: PcmBlock) -> None:
        stream = pushed.stream
        if stream.rate and message.rate != stream.rate:
            pushed.next_start = round(pushed.next_start * message.rate / stream.rate)
        start = pushed.next_start if message.start is None else message.start
        try:
            items = stream.feed(Block(message.samples, start, message.rate, message.time))
        except InputError as error:
            self._blame(pushed, str(error))
            return
        pushed.next_start = start + len(message.samples)
        if not pushed.live:
            pushed.live = True
            items.insert(0, Change("live", pushed.fault))
        stream.put(items)

    def _end(self, pushed: _Pushed, reason: str) -> None:
        pushed.live = False
        pushed.ended = True
        pushed.stream.put([*pushed.stream.patcher.finish(), Change("ended", reason)])

    def _blame(self, pushed: _Pushed, reason: str) -> None:
        if not pushed.fault:
            pushed.fault = f"a message was dropped: {reason}"
            pushed.stream.put([Change(None, pushed.fault)])
