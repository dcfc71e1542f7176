import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version

from msgspec.structs import replace

from streamtag.bundle import Bundle
from streamtag.engine.changes import check, taken_over
from streamtag.engine.inference import Inference
from streamtag.engine.levels import LevelMeter
from streamtag.engine.load import PATCH_SECONDS
from streamtag.engine.measures import measured
from streamtag.engine.pauses import Pauses
from streamtag.engine.pcm import PcmStreams
from streamtag.engine.readers import Reader
from streamtag.engine.stream import EngineStream
from streamtag.errors import StreamtagError, WireError
from streamtag.events import EventRules
from streamtag.keys import Gate
from streamtag.limits import PRIVATE_PREFIX
from streamtag.runtimes import open_runtime
from streamtag.settings import Config, Stream
from streamtag.sinks.local import LocalSinks
from streamtag.sinks.table import open_local
from streamtag.sources import Receivers, redact
from streamtag.threads import Worker
from streamtag.track import Track
from streamtag.wire import Outgoing, PauseRequest, PcmInput, PcmPuller, Publisher, ServiceHeader

__all__ = ["Service"]

_DRAIN_SECONDS = 0.6
_SCORE_REST_SECONDS = 0.6
_WRITE_REST_SECONDS = 0.4
_LOOK_SECONDS = 0.25
# Service messages come at least every 5 s: half a second is left for a late look.
_REPEAT_SECONDS = 4.5
_REST_SECONDS = 1.0  # between messages that tell of other states alone, which may change all the time
_LONGEST_PAUSE = 0.05
_PUSHED = "zmq:"
_VERSION = version("streamtag")

logger = logging.getLogger(__name__)


class Service:
    """Tags all streams of a configuration and publishes what they score.

    Attributes:
        endpoint: where messages go out; the real one once started.
        input_endpoint: where PCM comes in; the real one once started, None without.
        bundle: the model.
        key: with which this process itself may connect; None where nobody is asked for one.
    """

    def __init__(self, config: Config) -> None:
        """Open the model; nothing runs yet.

        Raises:
            BundleError: there is no such model, or it is damaged.
            RuntimeUnavailableError: the runtime that the configuration asks for is not there.
            ConfigError: the configuration names a label that the model lacks, or more streams than it allows, its
                sockets let strangers in, or its keys cannot be read.
        """
        self.bundle = Bundle.open(config.model.bundle)
        check(config, self.bundle)
        self._config = config
        self._rules = EventRules(self.bundle.labels, config.events, self.bundle.label_thresholds)
        gate = Gate(config.service.keys) if config.service.keys else None
        self.key = None if gate is None else gate.own
        self._publisher = Publisher(config.service.endpoint, gate=gate, on_failure=partial(self._fail, "publishing"))
        self._sinks = LocalSinks(open_local(config))
        self._failure: StreamtagError | None = None
        self._ended = threading.Event()
        self._workers = self._make_workers()
        self._shares = [0] * len(self._workers)
        self._pcm = PcmStreams(self._create_pushed, self._remove)
        endpoint = config.service.input
        self._puller = None if endpoint is None else PcmPuller(endpoint, self._take_pcm, gate=gate)
        self._pauses = Pauses(self._find, self._pcm.owner_of)
        self._receivers = Receivers()
        self._readers: dict[str, Reader] = {}
        self._streams: dict[str, EngineStream] = {}
        self._leaving: dict[str, EngineStream] = {}  # removed, and not yet scored to their end
        self._reserved = _with_readers(config)
        self._dropped_before = 0  # patches of streams that are gone
        self._lock = threading.Lock()  # over these tables: streams come from the configuration and from pushers
        self._changed = threading.Event()  # the list of streams
        self._running = False
        self._stopping = threading.Event()
        self._watch = Worker("watch", self._look)
        self._started = time.monotonic()

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
        self._publisher.start()
        if self._puller is not None:
            try:
                self._puller.start()
            except WireError:
                self._publisher.stop()
                raise
        self._running = True
        self._started = time.monotonic()
        logger.info("model %s on %s", self.bundle.name, self._runtime_name)
        logger.info("publishing on %s", self.endpoint)
        self._sinks.start()
        for worker in self._workers:
            worker.start()
        self._pauses.go_by(self._config.streams, self._config.service.place)
        self._watch.start()
        # Streams that begin together complete their patches together: spread over a patch they load the machine evenly.
        pause = min(_LONGEST_PAUSE, PATCH_SECONDS / max(1, len(self._config.streams)))
        for settings in self._config.streams:
            self._open(settings)
            self._stopping.wait(pause)

    def reload(self, config: Config) -> None:
        """Take over `[events]`, `[scores]` and the list of streams; streams that did not change are not touched.

        Raises:
            ConfigError: as at the start; nothing changed then.
        """
        config = taken_over(config, self._config, self.bundle)
        before = {stream.id: stream for stream in self._config.streams}
        after = {stream.id: stream for stream in config.streams}
        self._config = config
        self._reserved = _with_readers(config)
        rules = self._rules = EventRules(self.bundle.labels, config.events, self.bundle.label_thresholds)
        for worker in self._workers:
            worker.queues.call(partial(worker.judge_by, rules, config.scores.rolling))
        self._pauses.go_by(self._config.streams, self._config.service.place)
        self._sinks.go_by(config)
        sounds = {id_: _sound(settings) for id_, settings in before.items()}
        self._close(
            [settings for id_, settings in before.items() if id_ not in after or _sound(after[id_]) != sounds[id_]]
        )
        for id_, settings in after.items():
            if sounds.get(id_) != _sound(settings):
                self._open(settings)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the service ends, for at most `seconds`; return whether it did.

        Raises:
            StreamtagError: a part failed without which the service is none; the cause is attached.
        """
        ended = self._ended.wait(seconds)
        if self._failure is not None:
            raise self._failure
        return ended

    def stop(self) -> None:
        """Score what is queued, end all events and close the sockets, within 2 s."""
        if not self._running:
            return
        self._running = False
        self._stopping.set()
        with self._lock:
            readers = list(self._readers.values())
        for reader in readers:
            reader.close()
        self._pcm.close()
        if self._puller is not None:
            self._puller.stop()
        deadline = time.monotonic() + _DRAIN_SECONDS
        for reader in readers:
            reader.join(deadline - time.monotonic())
        self._receivers.close(deadline - time.monotonic())
        deadline = time.monotonic() + _SCORE_REST_SECONDS
        for worker in self._workers:
            worker.stop(deadline)
        for worker in self._workers:
            worker.join(deadline + _SCORE_REST_SECONDS - time.monotonic())
        self._publisher.publish([self._message()])
        self._publisher.stop()
        self._sinks.stop(_WRITE_REST_SECONDS)
        self._ended.set()

    def _fail(self, part: str, error: BaseException) -> None:
        """End the service: whoever waits for it hears why, and starts it anew from the beginning."""
        if self._failure is None:
            self._failure = StreamtagError(f"{part} failed: {type(error).__name__}: {error}; the service ends")
            self._failure.__cause__ = error
        self._ended.set()

    def _make_workers(self) -> list[Inference]:
        """One thread a core, each with a model of its own; a device other than the CPU is fed by one thread."""
        model = self._config.model
        name: str = model.runtime
        workers: list[Inference] = []
        while len(workers) < len(os.sched_getaffinity(0)):
            runtime = open_runtime(self.bundle, name, max_batch=model.max_batch)
            name = runtime.name  # chosen, and told, once
            self._runtime_name = f"{runtime.name} {runtime.device} {runtime.precision}"
            worker = Inference(
                self.bundle,
                runtime,
                self._publisher.publish,
                self._sinks,
                partial(self._fail, "scoring"),
                rules=self._rules,
                rolling=self._config.scores.rolling,
                max_batch=model.max_batch,
                max_wait=model.max_wait_ms / 1000,
            )
            workers.append(worker)
            if runtime.device != "CPU":
                break
        return workers

    def _message(self) -> Outgoing:
        with self._lock:
            streams = list(self._streams.values())
            dropped_before = self._dropped_before + sum(stream.dropped_patches for stream in self._leaving.values())
        sustainable = [worker.load.sustainable_streams for worker in self._workers]
        known = [count for count in sustainable if count is not None]
        header = ServiceHeader(
            version=_VERSION,
            model=self.bundle.name,
            runtime=self._runtime_name,
            labels=self.bundle.labels,
            labels_hash=self.bundle.labels_hash,
            streams=[stream.id for stream in streams],
            patches=sum(worker.scored for worker in self._workers),
            dropped_patches=dropped_before + sum(stream.dropped_patches for stream in streams),
            sustainable_streams=round(len(self._workers) * sum(known) / len(known)) if known else None,
            uptime=time.monotonic() - self._started,
            input=self.input_endpoint,
            pcm_faults=self._pcm.faults + self._pauses.faults,
            dropped_messages=self._publisher.statistics().dropped,
            restarts=self._restarts(),
            states=dict(self._count_states()),
            private=[stream.id for stream in streams if stream.is_private],
            measures=measured([worker.measures for worker in self._workers]),
        )
        self._sinks.describe(header)
        return Outgoing(header)

    def _count_states(self) -> Counter[str]:
        with self._lock:
            return Counter(stream.state for stream in self._streams.values() if not stream.is_private)

    def _restarts(self) -> dict[str, int]:
        restarts = {"watch": self._watch.restarts}
        if self._puller is not None:
            restarts["input"] = self._puller.restarts
        return {name: count for name, count in restarts.items() if count}

    def _open(self, settings: Stream) -> None:
        if settings.source == _PUSHED:
            self._pcm.declare(settings.id)
            with self._lock:
                if settings.id in self._streams:  # also one that was pushed before it was named
                    self._streams[settings.id].is_private = False
            return
        stream = self._add(settings.id, redact(settings.source))
        if stream is None:
            logger.warning("stream %s is not started: its name is taken, or max_streams is reached", settings.id)
            return
        reader = Reader(stream, settings, self._receivers)
        with self._lock:
            self._readers[settings.id] = reader
        reader.start()

    def _close(self, streams: Sequence[Stream]) -> None:
        with self._lock:
            readers = [self._readers.pop(settings.id) for settings in streams if settings.id in self._readers]
        for reader in readers:
            reader.close()
        deadline = time.monotonic() + _DRAIN_SECONDS
        for reader in readers:
            reader.join(deadline - time.monotonic())
            self._remove(reader.stream)
        for settings in streams:
            if settings.source == _PUSHED:
                self._pcm.withdraw(settings.id)

    def _add(self, id_: str, source: str) -> EngineStream | None:
        with self._lock:
            if id_ in self._streams or len(self._streams) >= self._config.service.max_streams:
                return None
            before = self._leaving.get(id_)  # what is still told of it must come first: so they share a queue
            number = self._number_of(before) if before else self._shares.index(min(self._shares))
            self._shares[number] += 1
            worker = self._workers[number]
            worker.queues.share_among(self._shares[number])
            track = Track(self._rules, self._config.scores.rolling)
            stream = self._streams[id_] = EngineStream(id_, source, track, worker.queues)
            # Under such a name the page pushes a visitor's microphone; whoever configures one means it to be kept.
            is_named = any(settings.id == id_ for settings in self._config.streams)
            stream.is_private = id_.startswith(PRIVATE_PREFIX) and not is_named

        def is_watched(name: str) -> bool:
            return not stream.is_paused and self._publisher.is_watched(name)

        stream.patcher.tap = LevelMeter(id_, self._publisher.publish, is_watched).take
        stream.put([partial(worker.add, stream)])
        self._pauses.begin(stream)
        self._changed.set()
        return stream

    def _remove(self, stream: EngineStream) -> None:
        with self._lock:
            if self._streams.get(stream.id) is not stream:
                return
            del self._streams[stream.id]
            self._leaving[stream.id] = stream
            number = self._number_of(stream)
            self._shares[number] -= 1
            worker = self._workers[number]
            worker.queues.share_among(self._shares[number])

        def let_go() -> None:
            worker.remove(stream)
            self._publisher.forget(stream.id)
            with self._lock:
                self._dropped_before += stream.dropped_patches
                if self._leaving.get(stream.id) is stream:
                    del self._leaving[stream.id]

        worker.queues.leave(stream, let_go)
        self._changed.set()

    def _number_of(self, stream: EngineStream) -> int:
        """Return the number of the worker that scores a stream."""
        return next(number for number, worker in enumerate(self._workers) if worker.queues is stream.queues)

    def _create_pushed(self, id_: str) -> EngineStream | None:
        if id_ in self._reserved:
            return None
        return self._add(id_, _PUSHED)

    def _take_pcm(self, message: PcmInput) -> None:
        if isinstance(message, PauseRequest):
            self._pauses.ask(message)
        else:
            self._pcm.take(message)

    def _find(self, id_: str) -> EngineStream | None:
        with self._lock:
            return self._streams.get(id_)

    def _look(self) -> None:
        due, told = 0.0, Counter[str]()
        while not self._stopping.wait(_LOOK_SECONDS):
            self._pcm.look()
            self._pauses.look()
            now, states = time.monotonic(), self._count_states()
            is_other = states != told and now >= due - _REPEAT_SECONDS + _REST_SECONDS
            if self._changed.is_set() or is_other or now >= due:
                self._changed.clear()
                due, told = now + _REPEAT_SECONDS, states
                self._publisher.publish([self._message()])


def _sound(settings: Stream) -> Stream:
    """Return what of a stream's settings its source is opened by: the rest may change while it is read."""
    return replace(settings, pause=None, keep=True)


def _with_readers(config: Config) -> frozenset[str]:
    """Return the names of the streams that nobody may push."""
    return frozenset(stream.id for stream in config.streams if stream.source != _PUSHED)
