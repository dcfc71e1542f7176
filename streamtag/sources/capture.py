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
_ENOUGH = 3
# What comes so soon after a loss was not lost, if it is ahead of the clock then.
_TAKEN_BACK_SECONDS = 60.0
_FLAGGED_SECONDS = 0.04

_STORE_SECONDS = 0.5
_OLD_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class _Run:
    """Sound as it came."""

    piece: Piece
    arrival: float
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

    def __init__(
        self, slack_seconds: float, sure_seconds: float, longest_seconds: float, *, looked_up: bool = False
    ) -> None:
        """Make a clock that knows nothing yet.

        Args:
            slack_seconds: how late sound may be without a reason; less than this is never counted as lost.
            sure_seconds: how long it must stay late to be sure that it does not catch up; longer where sound comes in
                lumps that are longer.
            longest_seconds: how long sound is held back at most.
            looked_up: whether somebody looks for it now and then, as into a playlist: then it is found up to half of
                the length of its lumps later than it could be, and soon after as early as ever.
        """
        self._looked_up = looked_up
        self._slack = slack_seconds
        self._sure = sure_seconds
        self._longest = longest_seconds
        self._origin: float | None = None  # when position 0 was captured, as well as it is known by now
        self._arrival = 0.0
        self._position = 0.0  # seconds of sound so far, lost sound included
        self._held: list[_Run] = []
        self._held_position = 0.0
        self._least_late = 0.0
        self._first_late = 0.0
        self._catching_up = (0.0, 0.0, 0.0)  # lateness, arrival and position at which it last caught up
        self._caught_up: deque[float] = deque(maxlen=_RECENT)
        self._counted = 0.0  # as lost of late, and until when that may turn out to be too much
        self._counted_until = 0.0
        self._surplus = 0.0  # what was counted as lost and came all the same

    def take(self, piece: Piece, arrival: float, *, flagged: bool = False) -> list[Piece]:
        """Take in what comes next and return what is certain.

        Args:
            piece: `lost_seconds` is what is known to be lost; `captured` the best that is known without other sound,
                at most `arrival`.
            arrival: when it came.
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
        self._judge(_Run(piece, arrival, flagged), ready)
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
            if self._least_late <= max(self._slack, 1.5 * self._lump_seconds):
                self._release(ready)
            else:
                self._count_lost(ready)
        return ready

    @property
    def _lump_seconds(self) -> float:
        """How long the lumps are in which sound came of late: by how much what was late caught up."""
        return median(self._caught_up) if self._caught_up else 0.0

    @property
    def _found_late_seconds(self) -> float:
        return 0.5 * self._lump_seconds if self._looked_up and len(self._caught_up) >= _ENOUGH else 0.0

    def _move_origin(self, late: float, arrival: float) -> None:
        """Sound came sooner than any before: what was counted as lost shortly before may have been too much."""
        assert self._origin is not None
        self._origin += late
        if self._looked_up and arrival < self._counted_until:
            taken_back = min(-late, self._counted)
            self._counted -= taken_back
            self._surplus += taken_back

    def _judge(self, run: _Run, ready: list[Piece]) -> None:
        assert self._origin is not None
        before, self._position = self._position, self._position + run.seconds
        late = run.arrival - self._position - self._origin
        if late < 0.0:
            self._move_origin(late, run.arrival)
            late = 0.0
        is_flagged = run.flagged or (self._held and self._held[0].flagged)
        is_late = late > (_FLAGGED_SECONDS if is_flagged else self._slack + self._found_late_seconds)
        if not is_late and not self._held:
            ready.append(self._placed(run, self._position))
            return
        if not self._held:
            self._held_position = before
            self._first_late = self._least_late = late
            self._catching_up = (late, run.arrival, before)
        self._held.append(run)
        self._least_late = min(self._least_late, late)
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
        self._caught_up.append(self._first_late - self._least_late)
        runs, self._held = self._held, []
        position = self._held_position
        for run in runs:
            position += run.seconds
            ready.append(self._placed(run, position))

    def _count_lost(self, ready: list[Piece]) -> None:
        """Count as lost what all that is held is late by, and judge it anew: more may be missing later in it."""
        self._caught_up.append(self._first_late - self._least_late)
        runs, self._held = self._held, []
        self._position = self._held_position
        first = runs[0].piece
        lost = self._least_late
        # What was counted too much is made good here: the same time of capture, at an earlier place in the stream.
        made_good = min(self._surplus, lost)
        self._surplus -= made_good
        assert self._origin is not None
        self._origin += made_good
        lost -= made_good
        self._counted, self._counted_until = lost, self._arrival + _TAKEN_BACK_SECONDS
        piece = replace(first, lost_seconds=first.lost_seconds + lost)
        self._judge(_Run(piece, runs[0].arrival, False), ready)
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
        self._store: list[Piece] = []
        self._stored = 0.0
        self._origin = 0.0
        self._streaming = (0.0, 0.0)  # origin and arrival since which it comes about as fast as it plays
        self._settled = False

    def take(self, piece: Piece) -> list[Piece]:
        """Take in the next piece, `captured` being when it came, and return those that are certain."""
        if self._settled:
            return self._clock.take(piece, piece.captured)
        arrival = piece.captured
        self._stored += piece.lost_seconds + piece.seconds
        soonest = arrival - self._stored
        if not self._store:
            self._origin, self._streaming = soonest, (soonest, arrival)
        self._store.append(piece)
        self._origin = min(self._origin, soonest)
        origin, since = self._streaming
        if self._origin < origin - 0.5 * (arrival - since) - _CATCHES_UP_SECONDS:
            self._streaming = (self._origin, arrival)
        first = self._store[0].captured
        if arrival - max(first, self._streaming[1]) < _STORE_SECONDS and arrival - first < self._longest:
            return []
        self._settled = True
        store, self._store = self._store, []
        self._clock.start(self._origin, first)
        ready = [ready for piece in store for ready in self._clock.take(piece, piece.captured)]
        return [piece for piece in ready if piece.captured > self._began - _OLD_SECONDS]

    def finish(self) -> list[Piece]:
        """Return what is still held back; nothing follows."""
        return self._clock.finish()
