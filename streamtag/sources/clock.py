"""Judging by the clock what the time stamps of a live stream say, and what of it is old."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from streamtag.sources.feed import Piece

__all__ = ["LostAudio", "drop_backlog"]

_SLACK_SECONDS = 0.5
_SMALLEST_SECONDS = 0.1
_SETTLE_SECONDS = 0.5


class LostAudio:
    """Believes a jump of the time stamps as far as the clock allows.

    A sender that starts its time stamps anew, or a camera that aligns them to its own clock, lost nothing. Live audio
    cannot come from the future: what was lost is never more than the stream has fallen behind its best so far.
    """

    def __init__(self) -> None:
        self._begin: float | None = None
        self._position = 0.0
        self._lead = 0.0

    def seconds(self, skipped_seconds: float, chunk_seconds: float, now: float) -> float:
        """How much audio was lost before a chunk.

        Args:
            skipped_seconds: by its time stamps.
            chunk_seconds: its length.
            now: `time.monotonic()` when it arrived.
        """
        if self._begin is None:
            self._begin = now - chunk_seconds
        behind = self._lead - (self._position + chunk_seconds - (now - self._begin))
        lost = skipped_seconds if skipped_seconds <= behind + _SLACK_SECONDS else max(0.0, behind)
        if lost < _SMALLEST_SECONDS:
            lost = 0.0
        self._position += lost + chunk_seconds
        self._lead = max(self._lead, self._position - (now - self._begin))
        return lost


def drop_backlog(pieces: Iterable[Piece], began: float, clock: Callable[[], float]) -> Iterator[Piece]:
    """Leave out what a server had stored before we came (Icecast's burst), to hear what is now.

    Nothing comes out before something arrives that was not there at once: an HLS playlist whose encoder is gone
    offers its last segment to whoever comes, again and again, and is not live.

    Args:
        pieces: as they arrive.
        began: `clock()` when the connection was begun: audio beyond the time since then is old.
        clock: `time.monotonic`.
    """
    held: deque[Piece] = deque()
    until: float | None = None
    source = iter(pieces)
    for piece in source:
        now = clock()
        until = now + _SETTLE_SECONDS if until is None else until
        held.append(piece)
        if now >= until:
            break
    else:
        return
    spare = sum(map(_seconds, held)) - (clock() - began + _SLACK_SECONDS)
    while len(held) > 1 and spare > 0:
        spare -= _seconds(held.popleft())
    yield from _spread(held, clock())
    yield from source


def _spread(held: Iterable[Piece], now: float) -> list[Piece]:
    """What arrived in a heap was captured one after the other."""
    spread: list[Piece] = []
    for piece in reversed(list(held)):
        spread.append(Piece(piece.samples, piece.rate, piece.lost_seconds, now))
        now -= _seconds(piece)
    return spread[::-1]


def _seconds(piece: Piece) -> float:
    return len(piece.samples) / piece.rate
