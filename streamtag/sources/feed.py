"""What crosses from a connection's thread to the thread that reads the source: a bounded queue with a watchdog."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from streamtag.audio.block import Samples
from streamtag.sources.source import Patience

__all__ = ["Feed", "Lost", "Piece"]

_LONGEST_SECONDS = 30.0


class Lost(Exception):  # noqa: N818 (named by what happened; it never leaves the sources)
    """A connection is broken, or silent (`stalled`); the text is a plain reason without secrets."""

    def __init__(self, reason: str, *, stalled: bool = False) -> None:
        super().__init__(reason)
        self.stalled = stalled


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A run of samples of one connection."""

    samples: Samples
    """[samples, channels]"""
    rate: int
    lost_seconds: float
    """Audio lost within this connection, just before these samples."""
    captured: float
    """`time.monotonic()` when the last sample was captured, as well as it is known."""


class Feed:
    """One connection's audio; when it is full, the oldest goes and counts as lost.

    Iterating raises `Lost` if the connection breaks or gives nothing for too long, and whatever else the
    connection's thread raised; it ends when the feed is closed or the connection is complete.
    """

    def __init__(self, patience: Patience) -> None:
        self.closed = threading.Event()
        """Set when nobody listens any more: the connection's thread must end."""
        self.quiet_seconds = patience.read_seconds
        """How long the connection may give nothing before it is taken for dead."""
        self._first_seconds = patience.open_seconds + patience.read_seconds
        self._pieces: deque[Piece] = deque()
        self._held_seconds = 0.0
        self._dropped_seconds = 0.0
        self._ended = False
        self._error: Exception | None = None
        self._changed = threading.Condition()

    def put(self, piece: Piece, *, wait: bool = False) -> None:
        """Append a piece; when full, drop the oldest, or `wait` for room (for what is not live)."""
        seconds = len(piece.samples) / piece.rate
        with self._changed:
            while self._pieces and self._held_seconds + seconds > _LONGEST_SECONDS:
                if wait and not self.closed.is_set():
                    self._changed.wait()
                    continue
                oldest = self._pop()
                self._dropped_seconds += oldest.lost_seconds + len(oldest.samples) / oldest.rate
            self._pieces.append(piece)
            self._held_seconds += seconds
            self._changed.notify_all()

    def end(self, error: Exception | None) -> None:
        """Say that the connection is complete (None) or why it is not; only the first call counts."""
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        """Stop listening; may be called from any thread."""
        with self._changed:
            self.closed.set()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Piece]:
        first_seconds = self._first_seconds
        while (piece := self._next(first_seconds)) is not None:
            yield piece
            first_seconds = 0.0

    def _next(self, least_seconds: float) -> Piece | None:
        since = time.monotonic()
        with self._changed:
            while not self.closed.is_set():
                if self._pieces:
                    piece = self._pop()
                    self._changed.notify_all()
                    if not self._dropped_seconds:
                        return piece
                    lost, self._dropped_seconds = self._dropped_seconds + piece.lost_seconds, 0.0
                    return Piece(piece.samples, piece.rate, lost, piece.captured)
                if self._ended:
                    if self._error is not None:
                        raise self._error
                    return None
                # Anew each time: what the connection turns out to be may ask for more patience.
                limit = max(least_seconds, self.quiet_seconds)
                remaining = since + limit - time.monotonic()
                if remaining <= 0:
                    raise Lost(f"no audio for {limit:g} s", stalled=True)
                self._changed.wait(remaining)
        return None

    def _pop(self) -> Piece:
        piece = self._pieces.popleft()
        self._held_seconds -= len(piece.samples) / piece.rate
        return piece
