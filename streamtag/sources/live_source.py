"""The one state machine of live sources: connect, listen, notice silence, wait, connect again."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self

from streamtag.audio.block import Block
from streamtag.errors import StreamtagError
from streamtag.redaction import scrub
from streamtag.sources.feed import Complete, Feed, Lost, Piece
from streamtag.sources.source import OnState, Timeouts
from streamtag.sources.timeline import Clock, Timeline, now
from streamtag.threads import Worker

__all__ = ["LiveSource", "next_delay"]

_GOODBYE_SECONDS = 0.4

logger = logging.getLogger(__name__)


def next_delay(previous: float, timeouts: Timeouts, uniform: Callable[[float, float], float] = random.uniform) -> float:
    """Seconds to wait before the next try, given the last wait (0: none yet).

    Exponential back-off with "decorrelated jitter": many streams of one server that was away do not all come back
    in the same instant. Always within `first_delay` and `longest_delay`.
    """
    first, longest = timeouts.first_delay, timeouts.longest_delay
    return min(longest, uniform(first, max(first, 3 * max(previous, first))))


class LiveSource:
    """A source that comes back: it ends only when it is closed, or when a recording came to its end.

    Each connection runs in a thread of its own, which may hang in a library for as long as it likes: the source
    listens to its `Feed` with a time limit, and leaves it behind when nothing comes. Whoever has many sources takes
    their `steps` instead of iterating, with one thread for all of them.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[Feed], None],
        timeouts: Timeouts,
        on_state: OnState,
        clock: Clock = now,
    ) -> None:
        """Make a source that is not connected yet.

        Args:
            name: the URI without secrets.
            connect: opens a connection and puts its audio into the feed until `feed.closed`. Returns when a
                recording is complete; raises `Lost` when the connection is, `SourceError` if it never can be.
            timeouts: the time limits.
            on_state: told each change.
            clock: tells how much time has passed, the machine's sleep included.
        """
        self.name = name
        self.rate = 0
        self.channels = 0
        self._connect = connect
        self._timeouts = timeouts
        self._on_state = on_state
        self._clock = clock
        self._told: tuple[str, str] | None = None
        self._closed = threading.Event()
        self._woken = threading.Event()
        self.on_wake: Callable[[], None] = self._woken.set
        """Called, from any thread, when it is worth going on with `steps`; to be set before they begin."""
        self._feed: Feed | None = None
        self._thread: Worker | None = None
        self._timeline = Timeline()
        self._heard: float | None = None
        self._origin = 0.0  # by the clock: when the stream's first sample was captured

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if self._thread is not None:
            self._thread.join(_GOODBYE_SECONDS)

    def close(self) -> None:
        """End the iteration; may be called from any thread."""
        self._closed.set()
        if self._feed is not None:
            self._feed.close()
        self.on_wake()

    @property
    def is_recording(self) -> bool:
        """Whether what comes now is not live: it waits for whoever reads it."""
        return self._feed is not None and self._feed.is_recording

    def __iter__(self) -> Iterator[Block]:
        for step in self.steps():
            if isinstance(step, Block):
                yield step
            else:
                self._woken.wait(step - self._clock())
                self._woken.clear()

    def steps(self) -> Iterator[Block | float]:
        """Return the blocks without ever waiting for one.

        Where there is none yet stands the time (by `clock`) at which to go on if `on_wake` was not called.
        """
        delay = 0.0
        while not self._closed.is_set():
            live_since: float | None = None
            feed = self._start_connection()
            try:
                for piece in self._pieces(feed):
                    if isinstance(piece, float):
                        yield piece
                    elif live_since is None:
                        live_since = self._clock()
                        yield self._first_block(piece)
                    else:
                        yield self._block(piece, piece.lost_seconds)
                return
            except Lost as lost:
                self._report("stalled" if lost.stalled else "reconnecting", str(lost))
            except StreamtagError:
                raise  # it can never be read
            except Exception as error:  # the outermost edge of what a connection gave: only that one is lost by it
                logger.exception("%s: what was received could not be used", self.name)
                self._report("reconnecting", _unforeseen(error))
            finally:
                feed.close()
            if live_since is not None and self._clock() - live_since > delay:
                delay = 0.0
            delay = next_delay(delay, self._timeouts)
            until = self._clock() + delay
            while not self._closed.is_set() and self._clock() < until:
                yield until

    def _pieces(self, feed: Feed) -> Iterator[Piece | float]:
        """What a connection gives until it is complete; raises `Lost` if it breaks or gives nothing for too long."""
        heard = self._clock()
        least_seconds = self._timeouts.open_seconds + self._timeouts.read_seconds
        while not feed.closed.is_set():
            try:
                for piece in feed.get():
                    yield piece
                    heard, least_seconds = feed.arrived, 0.0
            except Complete:
                yield from feed.finish()
                return
            except (Lost, StreamtagError):
                yield from feed.finish()
                raise
            if not feed.is_empty:  # however late it is taken, it came
                continue
            # Anew each time: what the connection turns out to be may ask for more time.
            limit = max(least_seconds, feed.quiet_seconds)
            if self._clock() >= heard + limit:
                feed.close()
                with suppress(Complete, Lost):  # that it ended meanwhile makes no difference
                    while not feed.is_empty:
                        yield from feed.get()
                yield from feed.finish()
                raise Lost(f"no audio for {limit:g} s", stalled=True)
            yield heard + limit

    def _start_connection(self) -> Feed:
        self._feed = feed = Feed(self._timeouts.read_seconds, self.on_wake, self._clock)
        if self._closed.is_set():
            feed.close()
        name = f"connection to {self.name}"
        self._thread = Worker(name, partial(self._run, feed), on_failure=partial(_give_up, feed)).start()
        return feed

    def _run(self, feed: Feed) -> None:
        try:
            self._connect(feed)
            feed.end(None)
        except (Lost, StreamtagError) as error:
            feed.end(error)

    def _first_block(self, piece: Piece) -> Block:
        """A connection's first block: the time without one is lost audio."""
        away = 0.0  # a stream begins with the first audio that comes
        first = piece.captured - piece.seconds
        if self._heard is None:
            self._origin = first
        else:
            away = max(0.0, first - self._heard)
            # When sound was captured is known better and better while it comes, and always by less: the stream's place
            # is held to its beginning, or many breaks would count some of the time twice. A sender whose clock runs
            # fast may be ahead by more than the break was long, and the break must show all the same.
            away = max(away / 2, first - self._origin - self._timeline.seconds)
        self._report("live", "" if self._heard is None else f"back after {away:.1f} s")
        return self._block(piece, away)

    def _block(self, piece: Piece, lost_seconds: float) -> Block:
        self._heard = piece.captured
        self.rate, self.channels = piece.rate, piece.samples.shape[1]
        start = self._timeline.advance(len(piece.samples), piece.rate, lost_seconds)
        return Block(piece.samples, start, piece.rate, time.time() - (self._clock() - piece.captured))

    def _report(self, state: str, reason: str) -> None:
        if (state, reason) != self._told:
            self._told = (state, reason)
            self._on_state(state, reason)


def _give_up(feed: Feed, error: BaseException) -> None:
    """A connection that failed in a way that nobody foresaw is lost as others are: the next one may do better."""
    feed.end(Lost(_unforeseen(error)))


def _unforeseen(error: BaseException) -> str:
    return scrub(f"internal error: {type(error).__name__}: {error}")
