"""When live sound was captured, and what of it is lost: by when it came, whatever its time stamps say."""

from collections import deque
from dataclasses import dataclass, replace
from statistics import median

from streamtag.sources.feed import Piece

__all__ = ["CaptureClock", "LivePieces"]

# Two clocks that are both right run apart by less than this, in seconds a second.
_DRIFT = 0.0001
# Who is late and gets so much less late is catching up.
_CATCHES_UP_SECONDS = 0.1
_RECENT = 5
_FLAGGED_SECONDS = 0.04

_STORE_SECONDS = 0.5
_OLD_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class _Run:
    """Sound as it came."""

    piece: Piece
    arrival: float
    earliest: float
    """It did not come before this: the arrival, but for what is only looked for now and then."""
    flagged: bool

    @property
    def seconds(self) -> float:
        return self.piece.lost_seconds + self.piece.seconds


class CaptureClock:
    """Relates one connection's sound to the clock.

    Sound comes late, and in lumps, but never before it was captured: what came soonest tells when all was captured.
    What is missing makes all that follows late. A machine or a network that was held up hands sound over late as well,
    but then what waited comes faster than it plays, and nothing is missing. So whatever is late is held back until it
    has caught up, or stayed late for long enough to be sure. Time stamps are not asked: those of the world jump, run
    fast, stand still and wrap.
    """

    def __init__(self, slack_seconds: float, sure_seconds: float, longest_seconds: float) -> None:
        """Make a clock that knows nothing yet.

        Args:
            slack_seconds: how late sound may be without a reason; less than this is never counted as lost.
            sure_seconds: how long it must stay late to be sure that it does not catch up; longer where sound comes in
                lumps that are longer.
            longest_seconds: how long sound is held back at most.
        """
        self._slack = slack_seconds
        self._sure = sure_seconds
        self._longest = longest_seconds
        self._origin: float | None = None  # when position 0 was captured, as well as it is known by now
        self._arrival = 0.0
        self._position = 0.0  # seconds of sound so far, lost sound included
        self._held: list[_Run] = []
        self._held_position = 0.0
        self._least_late = (0.0, 0.0)  # of what is held: at most and at least, of the run for which the first is least
        self._first_late = 0.0
        self._catching_up = (0.0, 0.0, 0.0)  # lateness, arrival and position at which it last caught up
        self._caught_up: deque[float] = deque(maxlen=_RECENT)

    def feed(
        self, piece: Piece, arrival: float, *, earliest: float | None = None, flagged: bool = False
    ) -> list[Piece]:
        """Take in what comes next and return what is certain.

        Args:
            piece: `lost_seconds` is what is known to be lost; `captured` the best that is known without other sound,
                at most `arrival`.
            arrival: when it came, at the latest.
            earliest: when it came at the earliest, if that is not the same: what is found in a playlist was not there
                at the look before. It is no later than this shows it to be.
            flagged: whether something before it is said to be lost: then little lateness is enough.

        Returns:
            The pieces in their order, `lost_seconds` and `captured` as they are known now.
        """
        if self._origin is None:
            self.start(arrival - piece.lost_seconds - piece.seconds, arrival)
        assert self._origin is not None
        self._origin += _DRIFT * max(0.0, arrival - self._arrival)
        self._arrival = max(self._arrival, arrival)
        ready: list[Piece] = []
        self._judge(_Run(piece, arrival, arrival if earliest is None else earliest, flagged), ready)
        return ready

    def start(self, origin: float, arrival: float) -> None:
        """Say when the first sample was captured, as far as that is known at `arrival`."""
        self._origin, self._arrival = origin, arrival

    def delay(self, seconds: float) -> None:
        """Hear that whoever calls has not asked for sound for so long: it comes later from now on."""
        if self._origin is not None:
            self._origin += seconds

    def finish(self) -> list[Piece]:
        """Return what is still held back; nothing follows."""
        ready: list[Piece] = []
        while self._held:
            if self._least_late[1] <= max(self._slack, 1.5 * self._lump_seconds):
                self._release(ready)
            else:
                self._count_lost(ready)
        return ready

    @property
    def _lump_seconds(self) -> float:
        """How long the lumps are in which sound came of late: by how much what was late caught up."""
        return median(self._caught_up) if self._caught_up else 0.0

    def _judge(self, run: _Run, ready: list[Piece]) -> None:
        assert self._origin is not None
        before, self._position = self._position, self._position + run.seconds
        self._origin = min(self._origin, run.arrival - self._position)  # it came sooner than any before
        at_most = run.arrival - self._position - self._origin
        late = max(0.0, run.earliest - self._position - self._origin)
        is_flagged = run.flagged or (self._held and self._held[0].flagged)
        is_late = late > (_FLAGGED_SECONDS if is_flagged else self._slack)
        if not is_late and not self._held:
            ready.append(self._placed(run, self._position))
            return
        if not self._held:
            self._held_position = before
            self._first_late, self._least_late = at_most, (at_most, late)
            self._catching_up = (late, run.arrival, before)
        self._held.append(run)
        self._least_late = min(self._least_late, (at_most, late))
        if late < self._catching_up[0] - _CATCHES_UP_SECONDS:
            self._catching_up = (late, run.arrival, self._position)
        if not is_late:
            self._release(ready)
        elif self._is_sure(run.arrival):
            self._count_lost(ready)

    def _is_sure(self, arrival: float) -> bool:
        if arrival - self._held[0].arrival >= self._longest:
            return True
        # Lumps that are late catch up with their end, and the next may come early.
        sure = max(self._sure, 1.5 * self._lump_seconds)
        _, since, position = self._catching_up
        return arrival - since >= sure and self._position - position >= sure / 4

    def _release(self, ready: list[Piece]) -> None:
        """Let go of all that was late: it has caught up."""
        self._caught_up.append(self._first_late - self._least_late[0])
        runs, self._held = self._held, []
        position = self._held_position
        for run in runs:
            position += run.seconds
            ready.append(self._placed(run, position))

    def _count_lost(self, ready: list[Piece]) -> None:
        """Count as lost what all that is held is late by, and judge it anew: more may be missing later in it."""
        self._caught_up.append(self._first_late - self._least_late[0])
        runs, self._held = self._held, []
        self._position = self._held_position
        first = runs[0].piece
        lost = self._least_late[1]
        piece = replace(first, lost_seconds=first.lost_seconds + lost)
        self._judge(replace(runs[0], piece=piece, flagged=False), ready)
        for run in runs[1:]:
            self._judge(replace(run, flagged=False), ready)

    def _placed(self, run: _Run, position: float) -> Piece:
        assert self._origin is not None
        age = run.arrival - run.piece.captured
        return replace(run.piece, captured=self._origin + position - age)


class LivePieces:
    """Leaves out what is older than the connection, and relates the rest to the clock.

    Servers store sound for whoever connects (Icecast's burst). Nothing comes out before something arrives that was not
    there at once: an HLS playlist whose encoder is gone offers its last segment again and again, and is not live.
    """

    def __init__(self, began: float, clock: CaptureClock, longest_seconds: float) -> None:
        """Begin.

        Args:
            began: when the connection was begun.
            clock: of this connection.
            longest_seconds: how long a store may take to come.
        """
        self._began = began
        self._clock = clock
        self._longest = longest_seconds
        self._store: list[tuple[Piece, float | None, bool]] = []
        self._stored = 0.0
        self._origin = 0.0
        self._streaming = (0.0, 0.0)  # origin and arrival since which it comes about as fast as it plays
        self._settled = False
        self._lump = (0.0, 0.0, 0.0)  # when it came, how long it is so far, and how long the one before was

    def feed(self, piece: Piece, *, earliest: float | None = None, flagged: bool = False) -> list[Piece]:
        """Take in the next piece, `captured` being when it came, and return those that are certain.

        `earliest` and `flagged` as for `CaptureClock.feed`.
        """
        if self._settled:
            return self._clock.feed(piece, piece.captured, earliest=earliest, flagged=flagged)
        arrival = piece.captured
        came, length, before = self._lump
        length, before = (length, before) if arrival == came else (0.0, length)
        self._lump = (arrival, length + piece.seconds, before)
        self._stored += piece.lost_seconds + piece.seconds
        soonest = arrival - self._stored
        if not self._store:
            self._origin, self._streaming = soonest, (soonest, arrival)
        self._store.append((piece, earliest, flagged))
        self._origin = min(self._origin, soonest)
        origin, since = self._streaming
        if self._origin < origin - 0.5 * (arrival - since) - _CATCHES_UP_SECONDS:
            self._streaming = (self._origin, arrival)
        is_segment = earliest not in (None, arrival)
        if is_segment and length + piece.seconds < before - _CATCHES_UP_SECONDS:
            return []  # only its end tells when it was captured
        first = self._store[0][0].captured
        if arrival - max(first, self._streaming[1]) < _STORE_SECONDS and arrival - first < self._longest:
            return []
        self._settled = True
        store, self._store = self._store, []
        self._clock.start(self._origin, first)
        ready: list[Piece] = []
        for stored, early, is_flagged in store:
            ready += self._clock.feed(stored, stored.captured, earliest=early, flagged=is_flagged)
        return [piece for piece in ready if piece.captured > self._began - _OLD_SECONDS]

    def finish(self) -> list[Piece]:
        """Return what is still held back; nothing follows."""
        return self._clock.finish()
