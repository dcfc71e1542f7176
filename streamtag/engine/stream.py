import time

from streamtag.audio import SAMPLE_RATE, Patch
from streamtag.engine.queue import StreamQueues
from streamtag.events import Event
from streamtag.intake import Change, Intake
from streamtag.scoring import ScoreStage
from streamtag.wire.messages import StatusHeader

__all__ = ["EngineStream"]


class EngineStream:
    """One stream of the service: its way in, its queue, and what the thread that scores it remembers.

    The intake belongs to the thread that brings the sound, the queue looks after itself, and the rest is the scoring
    thread's.

    Attributes:
        told: the state that is published: the newest that came out of the queue, or that nothing is scored.
        is_private: whether it is a visitor's of the page: nothing of it is kept, and the page shows it to nobody else.
    """

    def __init__(
        self,
        id: str,  # noqa: A002
        source: str,
        stage: ScoreStage,
        queues: "StreamQueues[EngineStream]",
    ) -> None:
        """Make a stream.

        Args:
            id: its name on the wire.
            source: where its sound comes from, without secrets.
            stage: what scores it.
            queues: where it waits to be scored.
        """
        self.id = id
        self.source = source
        self.queue = queues.open(id, self, stage.model.geometry)
        self.intake = Intake(id, self.queue, stage.model.geometry)
        self.is_private = False

        self.stage = stage
        self.memory = stage.memory()
        self.told = self._of_source = self.intake.newest
        self._paused = ""  # why it is not scored, empty where it is
        self._unscored = ""  # why what it brings cannot be scored, empty where it can
        self.scored = 0
        self.status_due = 0.0  # monotonic seconds
        self._began = self.told.since  # Unix seconds of stream second 0, by the newest patch
        self._onset_times: dict[int, float] = {}  # Unix seconds, of the events that are on

    def apply(self, change: Change) -> bool:
        """Take over a state of its source that came out of the queue; tell whether anything changed."""
        self._of_source = change
        return self._show(change.since)

    def pause(self, reason: str) -> bool:
        """Take over why it is not scored, an empty reason where it is again; tell whether anything changed."""
        if reason == self._paused:
            return False
        self._paused = reason
        self._show(time.time())
        return True

    def stall(self, reason: str) -> bool:
        """Take over why what it brings cannot be scored, an empty reason where it can; tell whether that is news."""
        if bool(reason) == bool(self._unscored):
            return False
        self._unscored = reason
        return self._show(time.time())

    def _show(self, since: float) -> bool:
        """Why it is not scored stands in place of that it is live; what else its source says is told anyway."""
        state, reason = self._of_source.state, self._of_source.reason
        if self._paused and state == "live":
            state, reason = "paused", self._paused
        elif self._unscored and state == "live":
            state, reason = "stalled", self._unscored
        shown = Change(state, reason, since)
        if shown == self.told:
            return False
        self.told = shown.follow(self.told)
        return True

    def note(self, patch: Patch) -> None:
        """Take in when a patch that was scored was captured."""
        self.scored += 1
        self._began = patch.time - (patch.start + len(patch.window)) / patch.geometry.rate

    def onset_time(self, event: Event) -> float:
        """Return the Unix second of an event's onset: of its end the one that was returned of its onset."""
        if event.offset is None:
            return self._onset_times.setdefault(event.id, self._began + event.onset)
        return self._onset_times.pop(event.id, self._began + event.onset)

    @property
    def lost_samples(self) -> int:
        """How much of it was lost, in samples of 16 kHz, by which all are told whatever their model's rate is."""
        patcher = self.intake.patcher
        return patcher.lost_samples * SAMPLE_RATE // patcher.geometry.rate

    def status(self) -> StatusHeader:
        """Return the stream's state as it is published."""
        intake, queue = self.intake, self.queue
        return StatusHeader(
            stream=self.id,
            state=self.told.state,
            reason=self.told.reason,
            since=self.told.since,
            source=self.source,
            rate=intake.rate,
            channels=intake.channels,
            patches=self.scored,
            dropped_patches=queue.dropped_patches,
            lost_samples=self.lost_samples,
            queue=queue.pending_patches,
            faults=intake.faults,
            paused=bool(self._paused),
            model=self.stage.model.name,
            patch_seconds=self.stage.model.geometry.seconds,
            paused_seconds=round(queue.paused_patches * self.stage.model.geometry.seconds, 2),
        )
