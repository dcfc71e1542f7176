import logging
import threading
import time
from importlib.metadata import version
from pathlib import Path

from streamtag.bundle import Bundle
from streamtag.config import check_labels
from streamtag.engine.inference import Inference
from streamtag.engine.levels import LevelMeter
from streamtag.engine.pcm import PcmStreams
from streamtag.engine.queue import StreamQueues
from streamtag.engine.readers import Reader
from streamtag.engine.stream import EngineStream
from streamtag.errors import ConfigError
from streamtag.events import EventRules
from streamtag.history import History
from streamtag.runtimes import open_runtime
from streamtag.settings import Config, Stream
from streamtag.sources import redact
from streamtag.track import Track
from streamtag.wire import Outgoing, PcmInput, Publisher, ServiceHeader

__all__ = ["Service"]

_DRAIN_SECONDS = 0.6
_SCORE_REST_SECONDS = 0.6
_WRITE_REST_SECONDS = 0.4
_LOOK_SECONDS = 0.5
_PUSHED = "zmq:"
_VERSION = version("streamtag")

logger = logging.getLogger(__name__)


class Service:
    """Tags all streams of a configuration and publishes what they score.

    Attributes:
        endpoint: where messages go out; the real one once started.
        input_endpoint: where PCM comes in; the real one once started, None without.
        bundle: the model.
    """

    def __init__(self, config: Config) -> None:
        """Open the model; nothing runs yet.

        Raises:
            BundleError: there is no such model, or it is damaged.
            RuntimeUnavailableError: the runtime that the configuration asks for is not there.
            ConfigError: the configuration names a label that the model lacks, or more streams than it allows.
        """
        self.bundle = Bundle.open(config.model.bundle)
        _check(config, self.bundle)
        runtime = open_runtime(self.bundle, config.model.runtime, max_batch=config.model.max_batch)
        self._runtime_name = f"{runtime.name} {runtime.device} {runtime.precision}"
        self._config = config
        self._rules = EventRules(self.bundle.labels, config.events)
        self._queues = StreamQueues()
        self._publisher = Publisher(config.service.endpoint, config.service.input, self._take_pcm)
        kept = config.history
        self._history = History(Path(kept.path), kept) if kept.path else None
        self._inference = Inference(
            self.bundle,
            runtime,
            self._queues,
            self._publish,
            self._message,
            self._history,
            rules=self._rules,
            rolling=config.scores.rolling,
            max_batch=config.model.max_batch,
            max_wait=config.model.max_wait_ms / 1000,
        )
        self._pcm = PcmStreams(self._queues, self._create_pushed, self._remove)
        self._readers: dict[str, Reader] = {}
        self._streams: dict[str, EngineStream] = {}
        self._lock = threading.Lock()  # over the two tables: streams come from the configuration and from pushers
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._look, name="streamtag-watch", daemon=True)
        self._started = time.monotonic()

    @property
    def endpoint(self) -> str:
        """Where messages go out; the real address once started."""
        return self._publisher.endpoint

    @property
    def input_endpoint(self) -> str | None:
        """Where PCM comes in; the real address once started, None where none is taken."""
        return self._publisher.input_endpoint

    def start(self) -> None:
        """Bind the sockets and start all streams; a stream that fails says so in its status.

        Raises:
            WireError: an endpoint is in use or not of this machine.
        """
        self._publisher.start()
        self._started = time.monotonic()
        logger.info("model %s on %s", self.bundle.name, self._runtime_name)
        logger.info("publishing on %s", self.endpoint)
        if self._history is not None:
            self._history.start()
        self._inference.start()
        for settings in self._config.streams:
            self._open(settings)
        self._watch.start()

    def reload(self, config: Config) -> None:
        """Take over `[events]`, `[scores]` and the list of streams; streams that did not change are not touched.

        Raises:
            ConfigError: as at the start; nothing changed then.
        """
        _check(config, self.bundle)
        for section in ("service", "model", "history"):
            if getattr(config, section) != getattr(self._config, section):
                logger.warning("[%s] changed: that takes effect when the service is started anew", section)
        before = {stream.id: stream for stream in self._config.streams}
        after = {stream.id: stream for stream in config.streams}
        self._config = config
        rules = self._rules = EventRules(self.bundle.labels, config.events)
        self._queues.call(lambda: self._inference.judge_by(rules, config.scores.rolling))
        for id_, settings in before.items():
            if after.get(id_) != settings:
                self._close(id_)
        for id_, settings in after.items():
            if before.get(id_) != settings:
                self._open(settings)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the service ends by itself, for at most `seconds`; return whether it did.

        Raises:
            RuntimeError: scoring failed; the cause is attached.
        """
        ended = self._inference.ended.wait(seconds)
        if self._inference.error is not None:
            raise RuntimeError(f"scoring failed: {self._inference.error}") from self._inference.error
        return ended

    def stop(self) -> None:
        """Score what is queued, end all events and close the sockets, within 2 s."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        with self._lock:
            readers = list(self._readers.values())
        for reader in readers:
            reader.close()
        self._pcm.close()
        deadline = time.monotonic() + _DRAIN_SECONDS
        for reader in readers:
            reader.join(deadline - time.monotonic())
        self._inference.stop(_SCORE_REST_SECONDS)
        self._publisher.stop()
        if self._history is not None:
            self._history.stop(_WRITE_REST_SECONDS)

    def _publish(self, messages: list[Outgoing]) -> None:
        if messages:
            self._publisher.publish(messages)

    def _message(self, inference: Inference) -> Outgoing:
        streams = inference.streams
        return Outgoing(
            ServiceHeader(
                version=_VERSION,
                model=self.bundle.name,
                runtime=self._runtime_name,
                labels=self.bundle.labels,
                labels_hash=self.bundle.labels_hash,
                streams=list(streams),
                patches=inference.scored,
                dropped_patches=sum(stream.dropped_patches for stream in streams.values()),
                sustainable_streams=inference.load.sustainable_streams,
                uptime=time.monotonic() - self._started,
            )
        )

    def _open(self, settings: Stream) -> None:
        stream = self._add(settings.id, redact(settings.source))
        if stream is None:
            logger.warning("stream %s is not started: another program pushes one of that name", settings.id)
            return
        if settings.source == _PUSHED:
            self._pcm.declare(stream)
            return
        reader = Reader(stream, settings, self._queues)
        with self._lock:
            self._readers[settings.id] = reader
        reader.start()

    def _close(self, id_: str) -> None:
        with self._lock:
            reader = self._readers.pop(id_, None)
            stream = self._streams[id_]
        if reader is None:
            self._pcm.withdraw(stream)
        else:
            reader.close()
            reader.join(_DRAIN_SECONDS)
        self._remove(stream)

    def _add(self, id_: str, source: str) -> EngineStream | None:
        with self._lock:
            if id_ in self._streams or len(self._streams) >= self._config.service.max_streams:
                return None
            track = Track(self._rules, self._config.scores.rolling)
            stream = self._streams[id_] = EngineStream(id_, source, track)
            self._queues.share_among(len(self._streams))
        stream.patcher.tap = LevelMeter(id_, self._publish, self._publisher.is_watched).take
        self._queues.put(stream, [lambda: self._inference.add(stream)])
        return stream

    def _remove(self, stream: EngineStream) -> None:
        with self._lock:
            if self._streams.get(stream.id) is stream:
                del self._streams[stream.id]
            self._queues.share_among(len(self._streams))

        def let_go() -> None:
            if self._inference.remove(stream):
                self._publisher.forget(stream.id)

        self._queues.put(stream, [let_go])

    def _create_pushed(self, id_: str) -> EngineStream | None:
        return self._add(id_, _PUSHED)

    def _take_pcm(self, message: PcmInput) -> None:
        self._pcm.take(message)

    def _look(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            self._pcm.look()


def _check(config: Config, bundle: Bundle) -> None:
    check_labels(config, bundle.labels)
    if len(config.streams) > config.service.max_streams:
        most = config.service.max_streams
        raise ConfigError(f"{len(config.streams)} streams are configured and [service] max_streams is {most}: raise it")
