"""What crosses from a connection's thread to the thread that reads the source: a bounded queue."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from streamtag.audio.block import Samples
from streamtag.sources.timeline import Clock, now

__all__ = ["Complete", "Feed", "Lost", "Piece", "Sound"]

_LONGEST_SECONDS = 30.0
_MOST_BYTES = 64 << 20


class Lost(Exception):  # noqa: N818 (named by what happened; it never leaves the sources)
    """A connection is broken, or silent (`stalled`); the text is a plain reason without secrets."""

    def __init__(self, reason: str, *, stalled: bool = False) -> None:
        super().__init__(reason)
        self.stalled = stalled


class Complete(Exception):  # noqa: N818
    """A connection gave all that it will ever give: it was a recording."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A run of samples of one connection."""

    samples: Samples
    """[samples, channels]"""
    rate: int
    lost_seconds: float
    """Audio lost within this connection, just before these samples."""
    captured: float
    """By the feed's clock: when the last sample was captured, as well as it is known."""

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return len(self.samples) / self.rate

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        return self.samples.nbytes

    def pieces(self, dropped_seconds: float) -> Iterable["Piece"]:
        """Return itself, behind what was dropped."""
        return (replace(self, lost_seconds=self.lost_seconds + dropped_seconds),) if dropped_seconds else (self,)


class Sound(Protocol):
    """Sound of one connection that may still have to be decoded, by whoever takes it."""

    @property
    def seconds(self) -> float:
        """How long it plays, as far as that is known."""

    @property
    def bytes(self) -> int:
        """How much memory it takes."""

    def pieces(self, dropped_seconds: float) -> Iterable[Piece]:
        """Return its samples; so many seconds of sound before it were dropped."""


class Feed:
    """One connection's sound; when it is full, the oldest goes and counts as lost."""

    def __init__(self, quiet_seconds: float, wake: Callable[[], None], clock: Clock = now) -> None:
        """Make an empty feed.

        Args:
            quiet_seconds: how long the connection may give nothing before it is taken for dead.
            wake: called when there is something new to take.
            clock: tells when sound came.
        """
        self.closed = threading.Event()
        """Set when nobody listens any more: the connection's thread must end."""
        self.quiet_seconds = quiet_seconds
        self.clock = clock
        self.is_recording = False
        """Whether the connection gives what is not live, and waits for room."""
        self.finish: Callable[[], Iterable[Piece]] = tuple
        """Returns what is held back of the sound that was taken, once nothing follows; set by the connection."""
        self.arrived = 0.0
        """By the feed's clock: when what was last taken came."""
        self._wake = wake
        self._held: deque[tuple[Sound, float]] = deque()
        self._held_seconds = 0.0
        self._held_bytes = 0
        self._dropped_seconds = 0.0
        self._end: Exception | None = None
        self._room = threading.Condition()

    def put(self, sound: Sound, *, wait: bool = False) -> bool:
        """Append sound; when full, drop the oldest, or `wait` for room (for what is not live).

        Returns:
            Whether somebody may take it: nobody does after `close`.
        """
        with self._room:
            while self._held and not self._has_room_for(sound):
                if wait and not self.closed.is_set():
                    self._room.wait()
                    continue
                oldest, _ = self._pop()
                self._dropped_seconds += oldest.seconds
            if self.closed.is_set():
                return False
            self._held.append((sound, self.clock()))
            self._held_seconds += sound.seconds
            self._held_bytes += sound.bytes
        self._wake()
        return True

    def end(self, error: Exception | None) -> None:
        """Say that the connection is complete (None) or why it is not; only the first call counts."""
        with self._room:
            self._end = self._end or error or Complete()
        self._wake()

    def close(self) -> None:
        """Stop listening; may be called from any thread."""
        with self._room:
            self.closed.set()
            self._room.notify_all()
        self._wake()

    def get(self) -> Iterable[Piece]:
        """Take what is next and decode it; nothing if nothing came, or if what came gives no samples yet.

        Raises:
            Complete: all was taken, and nothing will follow.
            Lost: all was taken, and the connection is broken; or whatever else the connection's thread raised.
        """
        with self._room:
            if not self._held:
                if self._end is not None:
                    raise self._end
                return ()
            sound, self.arrived = self._pop()
            dropped, self._dropped_seconds = self._dropped_seconds, 0.0
            self._room.notify_all()
        return sound.pieces(dropped)

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be taken now."""
        return not self._held and self._end is None

    def _has_room_for(self, sound: Sound) -> bool:
        # Whoever sends decides how long his packets claim to play.
        seconds, size = self._held_seconds + sound.seconds, self._held_bytes + sound.bytes
        return seconds <= _LONGEST_SECONDS and size <= _MOST_BYTES

    def _pop(self) -> tuple[Sound, float]:
        sound, arrived = self._held.popleft()
        self._held_seconds -= sound.seconds
        self._held_bytes -= sound.bytes
        return sound, arrived
