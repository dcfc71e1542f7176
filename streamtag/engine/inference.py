import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping

from streamtag.audio import Patch
from streamtag.engine.load import Load
from streamtag.engine.measures import Measures, ModelUse
from streamtag.engine.messages import embedding_message, scores_messages
from streamtag.engine.output import Output
from streamtag.engine.queue import Action, StreamQueues, Work
from streamtag.engine.rounds import NewJudging, Round, rounds_of, without_patches
from streamtag.engine.stream import EngineStream
from streamtag.engine.times import USUAL_TIMES, ServiceTimes
from streamtag.intake import Change, Pause
from streamtag.model import DEFAULT, Model
from streamtag.scoring import Batch, Judging, Scored, ScoreStage
from streamtag.sinks.local import LocalSinks
from streamtag.sinks.sink import Embedding, SinkMessage
from streamtag.threads import Worker
from streamtag.wire.messages import Outgoing
from streamtag.workers import ScoringWorker, WorkerLostError

__all__ = ["Inference"]

_LOOK_SECONDS = 0.2
# A slow model must not keep the thread from stopping, or one stream's backlog the others from being heard.
_LONGEST_ROUND_SECONDS = 0.25

logger = logging.getLogger(__name__)


class Inference:
    """A thread that scores patches of its streams in batches, and that alone changes what they remember."""

    def __init__(
        self,
        stages: Mapping[str, ScoreStage],
        publish: Callable[[list[Outgoing]], None],
        sinks: LocalSinks,
        failed: Callable[[BaseException], None],
        *,
        is_watched: Callable[[str, str], bool] = lambda stream, kind: False,
        max_batch: int,
        max_wait: float,
        worker: ScoringWorker | None = None,
        times: ServiceTimes = USUAL_TIMES,
    ) -> None:
        """Prepare the thread; `start` starts it.

        Args:
            stages: by the model's name, what scores the streams of each model, for this thread alone.
            publish: where messages go.
            sinks: who is told before anything is published.
            is_watched: whether anybody asks for a stream's messages of a kind that is made on request.
            failed: told of an error that ended the thread; it cannot go on, for nobody knows what it left half done.
            max_batch: most patches in a batch.
            max_wait: seconds that a patch may wait for others while the thread is busy.
            worker: the process in which the stages are scored; None where that is done in this thread.
            times: how long what is done waits.
        """
        self.queues: StreamQueues[EngineStream] = StreamQueues(times.longest_wait)
        self.scored = 0
        self.load = Load()
        self.measures = Measures()
        self._streams: dict[str, EngineStream] = {}
        self._stages = dict(stages)  # replaced as a whole: other threads read it
        self._output = Output(publish, sinks, times)
        self._sinks = sinks
        self._is_watched = is_watched
        self._max_batch = max_batch
        self._max_wait = max_wait
        self._uses: dict[str, ModelUse] = {}
        self._worker = worker
        self._at_rest: deque[Action] = deque()
        self._leave: Callable[[Inference], None] = lambda _: None
        self._join: Callable[[Inference], None] = lambda _: None
        self._look_due = 0.0
        self._stop_at: float | None = None
        self._thread = Worker("inference", self._run, on_failure=failed)

    @property
    def beats(self) -> int:
        """How many rounds of its loop the thread has done, several a second even where it has nothing to do."""
        return self._thread.beats

    @property
    def is_ready(self) -> bool:
        """Whether it can score; not while the process that does is begun anew."""
        return self._worker is None or self._worker.is_ready

    @property
    def error(self) -> BaseException | None:
        """What ended the thread, if it did not end by itself."""
        return self._thread.error

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def share(self, leave: Callable[["Inference"], None], join: Callable[["Inference"], None]) -> None:
        """Have others score its streams while it cannot: it calls `leave` then, and `join` when it can again."""
        self._leave, self._join = leave, join

    def make_stream(self, name: str, source: str, model: str = DEFAULT) -> EngineStream:
        """Make a stream that this thread scores, from any thread; `add`, called in this one, takes it up."""
        return EngineStream(name, source, self._stages[model], self.queues)

    def use(self, names: Collection[str], added: Mapping[str, ScoreStage]) -> None:
        """Have streams that are made from now on scored by these models; those that are there go on as they are.

        Args:
            names: of all models, from now on.
            added: what scores those that are new, or others under the name of an old one.
        """
        self._stages = {name: added.get(name) or self._stages[name] for name in names}

    def uses(self) -> dict[str, ModelUse]:
        """Return what each model was used for so far, by its name, in any thread."""
        return self._uses.copy()

    def scores(self, stream: EngineStream) -> bool:
        """Tell whether a stream is one of this thread's."""
        return stream.queue.belongs_to(self.queues)

    def add(self, stream: EngineStream) -> None:
        """Take up a stream; its status is published at once."""
        stream.memory.go_by(stream.stage.judging.of(stream.id))  # it may have changed since the stream was made
        self._streams[stream.id] = stream
        self._output.publish_status([stream])

    def remove(self, stream: EngineStream) -> None:
        """Let go of a stream; its events end, and that it ended is published unless it is known."""
        self._end(stream, "the stream was removed")
        del self._streams[stream.id]

    def call_at_rest(self, action: Action) -> None:
        """Have the thread do something soon, when nothing of any stream is half done."""
        self._at_rest.append(action)

    def give_up(self, name: str) -> EngineStream | None:
        """Let another thread go on with a stream, if it was taken up; to be called in this one."""
        return self._streams.pop(name, None)

    def take_over(self, stream: EngineStream | None) -> None:
        """Go on with what another thread gave up."""
        if stream is not None:
            self._streams[stream.id] = stream
            self._go_by(stream)

    def stage_like(self, other: ScoreStage) -> ScoreStage:
        """Return what scores the same model here; the other one itself where the model is on its way out."""
        return next((stage for stage in self._stages.values() if stage.model is other.model), other)

    def judge_by(self, judging: Mapping[Model, Judging]) -> None:
        """Have the streams of models scored and judged by something else, soon; events whose labels are gone end."""
        self.queues.call(NewJudging(self._judge_by, judging))

    def _judge_by(self, judging: Mapping[Model, Judging]) -> None:
        for stage in {*self._stages.values(), *(stream.stage for stream in self._streams.values())}:
            stage.judging = judging.get(stage.model, stage.judging)
        for stream in self._streams.values():
            self._go_by(stream)

    def _go_by(self, stream: EngineStream) -> None:
        ends = stream.memory.go_by(stream.stage.judging.of(stream.id))
        if ends:
            self._output.publish_events(self._output.events_of(stream, ends))

    def stop(self, deadline: float) -> None:
        """Ask the thread to score what is pending until `deadline` (monotonic seconds), end all events, and end."""

        def end() -> None:
            self._stop_at = deadline
            self._output.is_ending = True

        self.queues.call(end)
        self.queues.close()

    def join(self, seconds: float) -> None:
        """Wait for the thread's end for at most `seconds`."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while self._stop_at is None:
            self._step(self._max_wait if self.load.busy else 0.0, _LOOK_SECONDS)
        while time.monotonic() < self._stop_at and self._step(0.0, 0.0):
            pass
        for stream in self._streams.values():
            self._end(stream, "the service stopped")

    def _step(self, linger: float, timeout: float) -> bool:
        self._thread.beat()
        while self._at_rest:
            self._at_rest.popleft()()
        if not self._can_score(timeout):
            return False
        most = min(self._max_batch, self.load.patches_in(_LONGEST_ROUND_SECONDS) or self._max_batch)
        work = self.queues.get(most, linger, timeout)
        begin = time.perf_counter()
        try:
            rounds = self._score(work)
        except WorkerLostError:
            work, rounds = without_patches(work), {}
        self._work_off(work, rounds)
        done = {stage: len(each.patches) for stage, each in rounds.items() if not each.failure}
        patches = sum(done.values())
        sound = sum(count * stage.model.geometry.seconds for stage, count in done.items())
        self.scored += patches
        self._repeat()
        self.load.add(time.perf_counter() - begin, patches, sound)
        return bool(work)

    def _can_score(self, timeout: float) -> bool:
        """Tell whether the process is there that scores; where it is not, do what else is to be done meanwhile."""
        if self._worker is None:
            return True
        was_ready = self._worker.is_ready
        if self._worker.look(timeout):
            if not was_ready:
                self._join(self)
            return True
        self._work_off(self.queues.get(0, 0.0, 0.0), {})
        self._leave(self)
        self._repeat()
        return False

    def _score(self, work: list[Work[EngineStream]]) -> dict[ScoreStage, Round]:
        """Score all patches that were taken, each model's in batches of its own."""
        rounds = rounds_of(work)
        # What waited when labels were taught scores them too, by its embeddings.
        is_taught = any(isinstance(item, NewJudging) for _, item in work)
        for stage, each in rounds.items():
            begin = time.perf_counter()
            wanted = is_taught or self._sinks.want_embeddings or bool(self._watched(each.streams))
            each.score(embeds=wanted)
            seconds = time.perf_counter() - begin
            if not each.failure:
                self.measures.add_batch(len(each.patches), seconds)
                use = self._uses.get(stage.model.name, ModelUse())
                self._uses[stage.model.name] = use.more(len(each.patches), seconds, stage.bad_patches)
        return rounds

    def _watched(self, streams: Iterable[EngineStream]) -> set[EngineStream]:
        """Return those of the streams whose embeddings somebody asks for; never a visitor's."""
        return {each for each in streams if self._is_watched(each.id, "embedding") and not each.is_private}

    def _work_off(self, work: list[Work[EngineStream]], rounds: dict[ScoreStage, Round]) -> None:
        """Do in order what was taken from the queues; patches between two changes are published together."""
        for stream, item in work:
            if isinstance(item, Patch):
                assert stream is not None
                rounds[stream.stage].due += 1
                continue
            self._publish_patches(rounds)
            if isinstance(item, Change | Pause):
                assert stream is not None
                self._apply(stream, item)
            else:
                item()
        self._publish_patches(rounds)

    def _publish_patches(self, rounds: dict[ScoreStage, Round]) -> None:
        """Let the streams take in what is due, and tell of it."""
        for each in rounds.values():
            if each.due and each.failure:
                self._drop(each.take_due()[0], each.failure)
            elif each.due:
                self._publish_batch(each.stage, *each.take_due())

    def _drop(self, streams: Iterable[EngineStream], reason: str) -> None:
        """Count patches that could not be scored, and tell of it, once for each stream."""
        for stream in streams:
            stream.queue.count_dropped()
            if stream.stall(reason):
                self._end_events(stream)
                self._publish_status(stream)

    def _publish_batch(
        self, stage: ScoreStage, streams: list[EngineStream], patches: list[Patch], scored: Scored
    ) -> None:
        batch = stage.follow([stream.memory for stream in streams], patches, scored)
        messages = scores_messages(streams, batch, stage)
        has_sinks, takes_scores = bool(self._sinks), self._sinks.takes("scores")
        vectors = scored.embeddings if self._sinks.want_embeddings else None
        told: list[Outgoing] = []
        for stream in streams:
            if stream.stall(""):
                self._publish_status(stream)
        for row, stream, patch, result, message in zip(
            range(len(patches)), streams, patches, batch.scores, messages, strict=True
        ):
            stream.note(patch)
            if has_sinks and not stream.is_private:
                heard = None if vectors is None else Embedding(stage.model.embedder, vectors[row].copy())
                self._sinks.hear(stream.id, patch, heard)
                if takes_scores:
                    self._sinks.take([SinkMessage(message.header, result.patch, result.rolling)])
            if result.events:
                told += self._output.events_of(stream, result.events)
        self._output.publish(messages)
        self._publish_embeddings(streams, batch, scored)
        self.measures.add_delays((patch.time for patch in patches), time.time())
        self._output.publish_events(told)

    def _publish_embeddings(self, streams: list[EngineStream], batch: Batch, scored: Scored) -> None:
        if scored.embeddings is None or not (watched := self._watched(streams)):
            return
        rows = zip(streams, batch.scores, scored.embeddings, strict=True)
        self._output.publish([embedding_message(*each) for each in rows if each[0] in watched])

    def _end(self, stream: EngineStream, reason: str) -> None:
        if stream.told.state not in ("ended", "failed"):
            self._apply(stream, Change("ended", reason))

    def _apply(self, stream: EngineStream, change: Change | Pause) -> None:
        if isinstance(change, Pause):
            if change.reason:
                self._end_events(stream)
            is_news = stream.pause(change.reason)
        else:
            if change.state != "live":
                self._end_events(stream)
            is_news = stream.apply(change)
        if is_news:
            self._publish_status(stream)

    def _end_events(self, stream: EngineStream) -> None:
        self._output.publish_events(self._output.events_of(stream, stream.memory.events.finish()))

    def _publish_status(self, stream: EngineStream) -> None:
        told = stream.told
        reason = f": {told.reason}" if told.reason else ""
        log = logger.warning if told.state in ("failed", "reconnecting", "stalled") else logger.info
        log("stream %s is %s%s", stream.id, told.state, reason)
        self._output.publish_status([stream])

    def _repeat(self) -> None:
        now = time.monotonic()
        if now < self._look_due:
            return
        self._look_due = now + _LOOK_SECONDS
        self._output.publish_status(stream for stream in self._streams.values() if now >= stream.status_due)
