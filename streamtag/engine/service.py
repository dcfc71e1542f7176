import logging
import threading
import time
from collections.abc import Sequence
from functools import partial
from itertools import zip_longest

from streamtag.engine.changes import PUSHED, log_what_waits, sound_of, taken_over, with_readers
from streamtag.engine.ending import Ending
from streamtag.engine.inference import Inference
from streamtag.engine.learning import Learning, Learnt
from streamtag.engine.measures import measured
from streamtag.engine.model_infos import ModelInfos
from streamtag.engine.models import Models
from streamtag.engine.pauses import Pauses
from streamtag.engine.processes import begin_workers
from streamtag.engine.stream import EngineStream
from streamtag.engine.streams import Streams
from streamtag.engine.taps import is_shown, tap_of
from streamtag.engine.times import USUAL_TIMES, ServiceTimes
from streamtag.errors import ConfigError, WireError
from streamtag.intake import Intake, PushedStreams, SourceReader
from streamtag.keys import ServerKeys
from streamtag.labels import LabelSet
from streamtag.limits import PRIVATE_PREFIX
from streamtag.machine import version_of
from streamtag.model import DEFAULT, Model
from streamtag.scoring import ScoreStage
from streamtag.settings import Config, Stream
from streamtag.sinks.local import LocalSinks
from streamtag.sinks.opening import open_local
from streamtag.sources import ReceiverPool, redact
from streamtag.threads import Worker
from streamtag.wire import Outgoing, PauseRequest, PcmInput, PcmPuller, Publisher, ServiceHeader
from streamtag.workers import ScoringWorker, end_workers

__all__ = ["Service"]

_DRAIN_SECONDS = 0.6
_SCORE_REST_SECONDS = 0.6
_WRITE_REST_SECONDS = 0.4
_LOOK_SECONDS = 0.25
_REST_SECONDS = 1.0  # between messages that tell of other states alone, which may change all the time
_LONGEST_PAUSE = 0.05
_VERSION = version_of("streamtag")

logger = logging.getLogger(__name__)


class Service:
    """Tags all streams of a configuration and publishes what they score.

    Attributes:
        key: with which this process itself may connect; None where nobody is asked for one.
    """

    def __init__(self, config: Config, crashes: int = 0, times: ServiceTimes = USUAL_TIMES) -> None:
        """Open the models; nothing runs yet.

        Args:
            config: the service's settings.
            crashes: how often the process that served before this one crashed, to be told.
            times: how long the service waits for what.

        Raises:
            BundleError: there is no such model, or it is damaged.
            RuntimeUnavailableError: the runtime that the configuration asks for is not there.
            ConfigError: the configuration names a label that the model lacks, or more streams than it allows, its
                sockets let strangers in, or its keys cannot be read.
        """
        self._ending = ending = Ending()
        self._changing = threading.Lock()  # of what is scored and judged by
        self._learning = Learning(config.heads_folder, lambda: self._sinks.raised, self._learn)
        self._models = Models.open(config, self._learning.learnt, begin=begin_workers)
        self._infos = ModelInfos()
        self._config = config
        self._crashes, self._times = crashes, times
        keys = ServerKeys(config.service.keys) if config.service.keys else None
        self.key = None if keys is None else keys.own
        self._publisher = Publisher(config.service.endpoint, keys=keys, on_failure=partial(ending.fail, "publishing"))
        self._sinks = LocalSinks(open_local(config))
        self._sinks.go_by(config, self._models.rules)
        self._workers = [self._make_worker(*each) for each in zip_longest(self._models.stages(), self._models.workers)]
        self._streams = Streams(self._workers, config.service.max_streams, self._publisher.forget)
        is_watched = partial(is_shown, self._publisher)
        self._pcm = PushedStreams(self._create_pushed, self._streams.remove, is_watched, times.pushed)
        pull = partial(PcmPuller, on_message=self._handle_pcm, keys=keys, may_rest=self._pcm.rest_seconds)
        self._puller = pull(config.service.input) if config.service.input else None
        self._pauses = Pauses(self._streams.get, self._pcm.owner_of)
        self._receivers = ReceiverPool()
        self._readers: dict[str, SourceReader] = {}
        self._reserved = with_readers(config)
        self._running, self._stopping = False, threading.Event()
        self._watch = Worker("watch", self._look)
        self._started = time.monotonic()

    @property
    def models(self) -> dict[str, Model]:
        """The models, by the names under which streams refer to them."""
        return self._models.by_name

    @property
    def labels(self) -> dict[str, LabelSet]:
        """What the streams of each model are scored on."""
        return self._models.labels

    @property
    def endpoint(self) -> str:
        """Where messages go out; the real address once started."""
        return self._publisher.endpoint

    @property
    def input_endpoint(self) -> str | None:
        """Where PCM comes in; the real address once started, None where none is taken."""
        return None if self._puller is None else self._puller.endpoint

    def start(self) -> None:
        """Bind the sockets and start all streams; a stream that fails says so in its status.

        Raises:
            WireError: an endpoint is in use or not of this machine.
        """
        try:
            self._publisher.start()
            if self._puller is not None:
                self._puller.start()
        except WireError:
            self._publisher.stop()
            self.stop()
            raise
        self._running = True
        self._started = time.monotonic()
        for model in self.models.values():
            logger.info("model %s on %s", model.bundle, model.runtime)
        logger.info("publishing on %s", self.endpoint)
        self._sinks.start()
        for worker in self._workers:
            worker.share(self._streams.leave, self._streams.join)
            worker.start()
        self._pauses.go_by(self._config.streams, self._config.service.location)
        self._models.log_left_out(self._learning.learnt)
        self._learning.start()
        self._watch.start()
        # Streams that begin together complete their patches together: spread over a patch they load the machine evenly.
        pause = min(_LONGEST_PAUSE, self.models[DEFAULT].geometry.seconds / max(1, len(self._config.streams)))
        for settings in self._config.streams:
            self._open(settings)
            self._stopping.wait(pause)

    def reload(self, config: Config) -> None:
        """Take over `[events]`, `[scores]` and the list of streams; streams that did not change are not touched.

        Raises:
            ConfigError: as at the start; nothing changed then.
        """
        settings = taken_over(config, self._config)
        with self._changing:
            models = Models.open(settings, self._learning.learnt, self._models)
            log_what_waits(config, self._config)
            before, after = ({stream.id: stream for stream in each.streams} for each in (self._config, settings))
            self._config = settings
            self._reserved = with_readers(settings)
            others = self._go_by(models)
            self._pauses.go_by(settings.streams, settings.service.location)
            self._sinks.go_by(settings, models.rules)
        sounds = {id_: sound_of(stream) for id_, stream in before.items() if stream.model not in others}
        self._close(
            [stream for id_, stream in before.items() if id_ not in after or sounds.get(id_) != sound_of(after[id_])]
        )
        for id_, stream in after.items():
            if sounds.get(id_) != sound_of(stream):
                self._open(stream)

    def _learn(self, learnt: Learnt) -> None:
        """Go on with what was taught by now."""
        with self._changing:
            try:
                models = self._models.after(self._config, learnt)
                self._go_by(models)
                self._sinks.go_by(self._config, models.rules)
                models.log_left_out(learnt)
                self._streams.changed.set()
            except ConfigError as error:
                logger.error("the taught labels stay as they were: %s", error)

    def _go_by(self, models: Models) -> set[str]:
        """Score by other models, and by other rules; return the names of the models that are others now."""
        stages = models.stages(self._models)
        known = self._models.opened
        self._models = models
        for worker, added in zip(self._workers, stages, strict=True):
            worker.use(set(models.opened), added)
            worker.judge_by(models.by_model)
        return {name for name, each in known.items() if models.opened.get(name) is not each}

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the service ends, for at most `seconds`; return whether it did.

        Raises:
            StreamtagError: a part failed without which the service is none; the cause is attached.
        """
        return self._ending.wait(seconds)

    def beats(self) -> dict[str, int]:
        """Return how many rounds each thread has done without which the service is none, at least one in 5 s.

        What reads, receives and keeps is looked after by itself: a camera or a disk that hangs is no reason to end all.
        """
        beats = {"the publisher": self._publisher.beats, "the watch": self._watch.beats}
        if self._puller is not None:
            beats["the input"] = self._puller.beats
        beats |= {f"inference {number}": worker.beats for number, worker in enumerate(self._workers, 1)}
        return beats

    def stop(self) -> None:
        """Score what is queued, end all events and close the sockets, within 2 s."""
        if not self._running:
            end_workers(self._models.workers)
            return
        self._running = False
        self._stopping.set()
        self._learning.stop()
        readers = list(self._readers.values())
        for reader in readers:
            reader.close()
        self._pcm.close()
        if self._puller is not None:
            self._puller.stop()
        drained = time.monotonic() + _DRAIN_SECONDS
        for reader in readers:
            reader.join(drained - time.monotonic())
        self._receivers.close(drained - time.monotonic())
        for worker in self._workers:
            worker.stop(time.monotonic() + _SCORE_REST_SECONDS)
        # What time the readers left is for threads that are held up: what they have not told by then nobody hears.
        for worker in self._workers:
            worker.join(drained + 2 * _SCORE_REST_SECONDS - time.monotonic())
        self._publisher.publish([self._message()])
        self._publisher.stop()
        end_workers(self._models.workers)
        self._sinks.stop(_WRITE_REST_SECONDS)
        self._ending.end()

    def _make_worker(self, stages: dict[str, ScoreStage], process: ScoringWorker | None) -> Inference:
        return Inference(
            stages,
            self._publisher.publish,
            self._sinks,
            partial(self._ending.fail, "scoring"),
            is_watched=self._publisher.is_watched,
            max_batch=self._config.model.max_batch,
            max_wait=self._config.model.max_wait_ms / 1000,
            worker=process,
            times=self._times,
        )

    def _message(self) -> Outgoing:
        streams = self._streams.all()
        known = [each for worker in self._workers if (each := worker.load.sustainable_streams) is not None]
        model, labels = self.models[DEFAULT], self._models.labels[DEFAULT]
        header = ServiceHeader(
            version=_VERSION,
            model=model.bundle,
            runtime=model.runtime,
            labels=list(labels.names),
            labels_hash=labels.hash,
            streams=[stream.id for stream in streams],
            patches=sum(worker.scored for worker in self._workers),
            dropped_patches=self._streams.dropped_patches,
            sustainable_streams=round(len(self._workers) * sum(known) / len(known)) if known else None,
            uptime=time.monotonic() - self._started,
            input=self.input_endpoint,
            pcm_faults=self._pcm.faults + self._pauses.faults,
            dropped_messages=self._publisher.statistics().dropped,
            restarts=self._restarts(),
            states=dict(self._streams.count_states()),
            private=[stream.id for stream in streams if stream.is_private],
            measures=measured([worker.measures for worker in self._workers]),
            models=self._infos.collect(self._models, streams, [worker.uses() for worker in self._workers]),
            processes=sum(process.is_ready for process in self._models.workers) if self._models.workers else 1,
        )
        self._sinks.describe(header)
        return Outgoing(header)

    def _restarts(self) -> dict[str, int]:
        restarts = {"service": self._crashes, "watch": self._watch.restarts, "learning": self._learning.restarts}
        restarts["input"] = self._puller.restarts if self._puller else 0
        restarts["scoring"] = sum(process.restarts for process in self._models.workers)
        return {name: count for name, count in restarts.items() if count}

    def _open(self, settings: Stream) -> None:
        if settings.source == PUSHED:
            stream = self._streams.get(settings.id)
            if stream is not None and stream.stage.model.name != settings.model:
                self._pcm.withdraw(settings.id)  # it was pushed before it was named
            self._pcm.declare(settings.id)
            if (stream := self._streams.get(settings.id)) is not None:
                stream.is_private = False  # also one that was pushed before it was named
            return
        stream = self._add(settings.id, redact(settings.source))
        if stream is None:
            logger.warning("stream %s is not started: its name is taken, or max_streams is reached", settings.id)
            return
        reader = self._readers[settings.id] = SourceReader(stream.intake, settings, self._receivers)
        reader.start()

    def _close(self, streams: Sequence[Stream]) -> None:
        readers = {settings.id: self._readers.pop(settings.id) for settings in streams if settings.id in self._readers}
        for reader in readers.values():
            reader.close()
        deadline = time.monotonic() + _DRAIN_SECONDS
        for name, reader in readers.items():
            reader.join(deadline - time.monotonic())
            self._streams.remove(name)
        for settings in streams:
            if settings.source == PUSHED:
                self._pcm.withdraw(settings.id)

    def _add(self, name: str, source: str) -> EngineStream | None:
        # Under such a name the page pushes a visitor's microphone; whoever configures one means it to be kept.
        settings = next((settings for settings in self._config.streams if settings.id == name), None)
        is_private = name.startswith(PRIVATE_PREFIX) and settings is None
        model = settings.model if settings else DEFAULT
        if (stream := self._streams.add(name, source, model=model, is_private=is_private)) is None:
            return None
        stream.intake.patcher.tap = tap_of(stream, self._publisher, lambda: self._config.page.listen)
        self._pauses.begin(stream)
        return stream

    def _create_pushed(self, name: str) -> Intake | None:
        return stream.intake if name not in self._reserved and (stream := self._add(name, PUSHED)) else None

    def _handle_pcm(self, message: PcmInput) -> None:
        if isinstance(message, PauseRequest):
            self._pauses.ask(message)
        else:
            self._pcm.handle(message)

    def _look(self) -> None:
        due, told = 0.0, (self._streams.count_states(), self._restarts())
        while not self._stopping.wait(_LOOK_SECONDS):
            self._watch.beat()
            self._pcm.look()
            self._pauses.look()
            now, states = time.monotonic(), (self._streams.count_states(), self._restarts())
            is_other = states != told and now >= due - self._times.repeat + _REST_SECONDS
            if self._streams.changed.is_set() or is_other or now >= due:
                self._streams.changed.clear()
                due, told = now + self._times.repeat, states
                self._publisher.publish([self._message()])
