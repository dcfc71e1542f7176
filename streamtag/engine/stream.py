import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamtag.audio import PATCH_HOP, PATCH_SAMPLES, SAMPLE_RATE, Block, Patch, Patcher
from streamtag.events import Event
from streamtag.track import Track
from streamtag.wire.messages import StatusHeader, StreamState

if TYPE_CHECKING:
    from streamtag.engine.queue import StreamQueues

__all__ = ["Action", "Change", "EngineStream", "Item", "Pause"]


@dataclass(frozen=True, slots=True)
class Change:
    """A stream's new state; it stands in the stream's queue between the patches before and after it."""

    state: StreamState | None
    """None: the state stays and only the reason is new."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """From here on nothing of a stream is scored, or where there is no reason for that any longer, all is again."""

    reason: str


Action = Callable[[], None]
"""Something that the inference thread does when it comes to it."""

Item = Patch | Change | Pause | Action


class EngineStream:
    """One stream of the service.

    The thread that brings its sound owns the patcher, the inference thread the track and the state; what is counted
    of patches that wait or are not to be scored, and whether it has left, belongs to the queue.
    """

    def __init__(self, id: str, source: str, track: Track, queues: "StreamQueues") -> None:  # noqa: A002
        """Make a stream.

        Args:
            id: its name on the wire.
            source: where its sound comes from, without secrets.
            track: what it remembers from patch to patch.
            queues: where it waits to be scored.
        """
        self.id = id
        self.source = source
        self.queues = queues
        self.rate = 0
        self.channels = 0
        self.is_private = False  # of a visitor of the page: nothing of it is kept, and the page shows it to nobody else
        self.faults = 0  # messages with its PCM that could not be used
        self.patcher = Patcher()
        self._bad_samples_told = False

        self.track = track
        self.state: StreamState = "starting"
        self.reason = ""
        self.since = time.time()
        self._of_source: tuple[StreamState, str] = (self.state, self.reason)
        self._paused = ""  # why it is not scored, empty where it is
        self.scored = 0
        self.status_due = 0.0  # monotonic seconds
        self._began = self.since  # Unix seconds of stream second 0, by the newest patch
        self._onset_times: dict[int, float] = {}  # Unix seconds, of the events that are on

        self.pending_patches = 0
        self.dropped_patches = 0
        self.paused_patches = 0  # that were not to be scored
        self.is_paused = False
        self.skips_next = False  # the patch that began before it was resumed
        self.has_left = False  # nothing of it is scored any more

    def feed(self, block: Block) -> list[Item]:
        """Take in sound and return what it makes, in the order of the stream.

        Raises:
            InputError: the block cannot be used.
        """
        self.rate = block.rate
        self.channels = 1 if block.samples.ndim == 1 else block.samples.shape[1]
        items: list[Item] = list(self.patcher.feed(block))
        if self.patcher.bad_samples and not self._bad_samples_told:
            self._bad_samples_told = True
            items.append(Change(None, "samples that are not finite are taken as 0"))
        return items

    def put(self, items: Sequence[Item], *, wait: bool = False) -> None:
        """Have what follows wait to be scored; `wait` for room instead of dropping the oldest patch."""
        if items:  # most messages complete no patch
            self.queues.put(self, items, wait=wait)

    def apply(self, change: Change) -> bool:
        """Take over a new state of its source; tell whether anything changed."""
        self._of_source = change.state or self._of_source[0], change.reason
        return self._show()

    def pause(self, reason: str) -> bool:
        """Take over why it is not scored, an empty reason where it is again; tell whether anything changed."""
        if reason == self._paused:
            return False
        self._paused = reason
        self._show()
        return True

    def _show(self) -> bool:
        """Where it is paused, that stands in place of that it is live; what else its source says is told anyway."""
        state, reason = self._of_source
        if self._paused and state == "live":
            state, reason = "paused", self._paused
        if (state, reason) == (self.state, self.reason):
            return False
        if state != self.state:
            self.since = time.time()
        self.state, self.reason = state, reason
        return True

    def note(self, patch: Patch) -> None:
        """Take in when a patch that was scored was captured."""
        self.scored += 1
        self._began = patch.time - (patch.start + PATCH_SAMPLES) / SAMPLE_RATE

    def onset_time(self, event: Event) -> float:
        """Return the Unix second of an event's onset: of its end the one that was returned of its onset."""
        if event.offset is None:
            return self._onset_times.setdefault(event.id, self._began + event.onset)
        return self._onset_times.pop(event.id, self._began + event.onset)

    def status(self) -> StatusHeader:
        """Return the stream's state as it is published."""
        return StatusHeader(
            stream=self.id,
            state=self.state,
            reason=self.reason,
            since=self.since,
            source=self.source,
            rate=self.rate,
            channels=self.channels,
            patches=self.scored,
            dropped_patches=self.dropped_patches,
            lost_samples=self.patcher.lost_samples,
            queue=self.pending_patches,
            faults=self.faults,
            paused=bool(self._paused),
            paused_seconds=round(self.paused_patches * PATCH_HOP / SAMPLE_RATE, 2),
        )
