import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streamtag.audio import LOG_MEL_GEOMETRY, Block, Geometry, Patch, Patcher
from streamtag.redaction import scrub
from streamtag.wire.messages import StreamState

__all__ = ["Change", "Intake", "Item", "Pause", "Queue"]

# Of errors that each block may bring.
_COMPLAINT_SECONDS = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """A stream's new state, or a new reason for the one that it has; it waits between the patches around it."""

    state: StreamState
    reason: str = ""
    since: float = field(default_factory=time.time, compare=False)
    """Unix seconds at which the stream came into this state, whatever the reasons since."""

    def follow(self, before: "Change") -> "Change":
        """Return itself as it stands behind another one: in the same state since the same time."""
        return self if self.state != before.state else Change(self.state, self.reason, before.since)


@dataclass(frozen=True, slots=True)
class Pause:
    """From here on nothing of a stream is scored, or where there is no reason for that any longer, all is again."""

    reason: str


Item = Patch | Change | Pause
"""What waits to be scored, or told, in the order of its stream."""


class Queue(Protocol):
    """Where a stream's items wait."""

    def put(self, items: Sequence[Item], *, wait: bool = False) -> None:
        """Add what follows; `wait` for room instead of dropping the oldest patch."""


class Intake:
    """The one way in of a stream: it takes blocks, states and an end, and puts patches and changes into its queue.

    Whoever brings the sound uses it, one thread at a time. What is over stays so.

    Attributes:
        stream: the stream's name.
        newest: the stream's state, as it is here; what has been told of it may be older, by what waits.
        rate: samples a second of the newest block; 0 before the first.
        channels: of the newest block.
        faults: what was brought and could not be used.
        waits: whether whoever brings the sound waits for room, where there is none, instead of losing what is oldest.
        patcher: what cuts the sound.
    """

    def __init__(self, stream: str, queue: Queue, geometry: Geometry = LOG_MEL_GEOMETRY) -> None:
        """Begin a stream, in the state "starting".

        Args:
            stream: its name.
            queue: where its patches and changes go.
            geometry: how its model wants the sound.
        """
        self.stream = stream
        self.newest = Change("starting")
        self.rate = 0
        self.channels = 0
        self.faults = 0
        self.waits = False
        self.patcher = Patcher(geometry)
        self._queue = queue
        self._fault = ""  # the first, and why
        self._bad_samples_told = False
        self._complain_at = 0.0

    @property
    def is_over(self) -> bool:
        """Whether nothing of the stream follows."""
        return self.newest.state in ("ended", "failed")

    def add_block(self, block: Block) -> None:
        """Take in sound; the stream is live then.

        Raises:
            InputError: the block cannot be used.
        """
        if self.is_over:
            return
        items: list[Item] = list(self.patcher.feed(block))
        self.rate = block.rate
        self.channels = 1 if block.samples.ndim == 1 else block.samples.shape[1]
        if self.newest.state != "live":
            items.insert(0, self._change("live", self._fault))
        if self.patcher.bad_samples and not self._bad_samples_told:
            self._bad_samples_told = True
            items.append(self._change("live", "samples that are not finite are taken as 0"))
        self._put(items)

    def set_state(self, state: StreamState, reason: str) -> None:
        """Take over a state that the source is in; what was cut of a patch when it is lost need not wait."""
        if self.is_over:
            return
        rest = [] if state == "live" else self.patcher.interrupt()
        self._put([*rest, self._change(state, scrub(reason))])

    def blame(self, reason: str) -> None:
        """Count what could not be used, and name the first of it."""
        self.faults += 1
        if not self._fault:
            self._fault = reason
            self._put([self._change(self.newest.state, reason)])

    def stumble(self, error: Exception) -> None:
        """Leave out what could not be taken in for an unforeseen error; what follows may go well."""
        if time.monotonic() >= self._complain_at:
            self._complain_at = time.monotonic() + _COMPLAINT_SECONDS
            logger.error("stream %s: a block could not be taken in", self.stream, exc_info=error)
        self.set_state("reconnecting", _in_words(error))

    def end(self, reason: str = "") -> None:
        """Have what is left scored, and end the stream."""
        if not self.is_over:
            self._put([*self.patcher.finish(), self._change("ended", reason)])

    def fail(self, reason: str) -> None:
        """Have what is left scored, and end the stream, which failed."""
        if not self.is_over:
            self._put([*self.patcher.finish(), self._change("failed", scrub(reason))])

    def break_down(self, error: BaseException) -> None:
        """End the stream for an unforeseen error; what is left may be what the error is about."""
        if not self.is_over:
            self._put([self._change("failed", _in_words(error))])

    def _put(self, items: Sequence[Item]) -> None:
        if items:  # most messages complete no patch
            self._queue.put(items, wait=self.waits)

    def _change(self, state: StreamState, reason: str) -> Change:
        self.newest = Change(state, reason).follow(self.newest)
        return self.newest


def _in_words(error: BaseException) -> str:
    return scrub(f"internal error: {type(error).__name__}: {error}")
