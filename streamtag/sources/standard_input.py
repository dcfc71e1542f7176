"""PCM on standard input, from whatever program makes it."""

import os
import select
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from streamtag.audio.block import Block
from streamtag.audio.pcm import decode_pcm
from streamtag.errors import SourceError
from streamtag.limits import CHANNELS, RATES, SAMPLE_FORMATS
from streamtag.sources.capture import CaptureClock
from streamtag.sources.feed import Feed, Piece
from streamtag.sources.live_source import LiveSource
from streamtag.sources.source import Request, Source
from streamtag.sources.timeline import Clock, now

__all__ = ["StandardInput", "open_request"]

_READ_BYTES = 65536
_POLL_SECONDS = 0.2
# Whoever writes PCM does so in lumps.
_SLACK_SECONDS = 0.5
_SURE_SECONDS = 2.0
_LONGEST_SECONDS = 5.0


def open_request(request: Request) -> Source:
    """Open `-`, whose rate, channels and format must be told: raw PCM does not say."""
    if request.rate is None or request.channels is None or request.sample_format is None:
        raise SourceError("-: raw PCM does not describe itself; give its rate, channels and format")
    if not RATES.hold(request.rate):
        raise SourceError(f"-: rate {request.rate} is out of range; it may be {RATES}")
    if not CHANNELS.hold(request.channels):
        raise SourceError(f"-: {request.channels} channels are out of range; there may be {CHANNELS}")
    if request.sample_format not in SAMPLE_FORMATS:
        raise SourceError(f"-: format {request.sample_format!r} is unknown; it may be {', '.join(SAMPLE_FORMATS)}")
    return StandardInput(sys.stdin.fileno(), request)


class StandardInput(LiveSource):
    """PCM from a file descriptor until its end.

    It is a live source though it is never connected anew: whoever makes the PCM may pause, and then the time of the
    pause is lost sound.
    """

    def __init__(self, descriptor: int, request: Request, clock: Clock = now) -> None:
        assert request.rate is not None
        assert request.channels is not None
        assert request.sample_format is not None
        # What is silent is heard again at once.
        timeouts = replace(request.timeouts, open_seconds=0.0, first_delay=0.0, longest_delay=0.0)
        super().__init__("-", self._listen, timeouts, request.on_state, clock)
        self.rate = request.rate
        self.channels = request.channels
        self._format = request.sample_format
        self._report_state = request.on_state
        self._frame_bytes = SAMPLE_FORMATS[request.sample_format].bytes * request.channels
        self._descriptor = descriptor
        self._reading = threading.Lock()  # between a connection that was given up and the one after it
        self._rest = b""
        self._is_empty = True

    def __iter__(self) -> Iterator[Block]:
        yield from super().__iter__()
        if self._rest and not self._closed.is_set():
            self._report_state("live", f"the last {len(self._rest)} bytes are no whole frame and were left out")

    def _listen(self, feed: Feed) -> None:
        clock = CaptureClock(_SLACK_SECONDS, _SURE_SECONDS, _LONGEST_SECONDS)
        feed.finish = clock.finish
        waited = 0.0
        with self._reading:
            for data in self._portions(feed):
                self._is_empty = False
                asked = feed.clock()
                piece = Piece(decode_pcm(data, self._format, self.channels), self.rate, 0.0, asked)
                if not feed.put(_Portion(piece, waited, clock), wait=True):
                    self._rest = data + self._rest  # for the connection after this one
                    return
                waited = feed.clock() - asked
            if self._is_empty and not feed.closed.is_set():
                raise SourceError("-: standard input held no audio")

    def _portions(self, feed: Feed) -> Iterator[bytes]:
        """Whole frames as they come, until the end of the input or until nobody listens any more."""
        more: bytes | None = b""
        while more is not None:
            self._rest += more
            whole = len(self._rest) - len(self._rest) % self._frame_bytes
            if whole:
                data, self._rest = self._rest[:whole], self._rest[whole:]
                yield data
            more = self._read(feed)

    def _read(self, feed: Feed) -> bytes | None:
        """The next bytes; None at the end of the input or when nobody listens any more."""
        try:
            while not feed.closed.is_set():
                # Not a blocking read: nothing could end it before the next bytes come.
                is_there = select.select([self._descriptor], [], [], _POLL_SECONDS)[0]
                if is_there and not feed.closed.is_set():
                    return os.read(self._descriptor, _READ_BYTES) or None
        except (OSError, ValueError) as error:  # it is not there, or cannot be read
            raise SourceError(f"-: standard input cannot be read: {error}") from None
        return None


@dataclass(frozen=True, slots=True, eq=False)
class _Portion:
    """What was read in one go; whoever takes it relates it to the clock."""

    piece: Piece
    waited_seconds: float
    """How long nothing was read before it because there was no room."""
    clock: CaptureClock

    @property
    def seconds(self) -> float:
        return self.piece.seconds

    @property
    def bytes(self) -> int:
        return self.piece.bytes

    def pieces(self, dropped_seconds: float) -> list[Piece]:
        if self.waited_seconds:
            self.clock.delay(self.waited_seconds)
        return self.clock.feed(self.piece, self.piece.captured)
