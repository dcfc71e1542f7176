"""What a patch costs beside log-mel and network, with many streams."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import PATCH_HOP, PATCH_SAMPLES, SAMPLE_RATE, Patch
from streamtag.benchmark.load_generator import bursts
from streamtag.benchmark.worker_process import in_a_process, wait_for_subscriber
from streamtag.bundle import Bundle
from streamtag.engine.inference import Inference
from streamtag.events import EventRules
from streamtag.intake import Intake, PushedStreams
from streamtag.model import DEFAULT, Model
from streamtag.runtimes import open_runtime
from streamtag.scoring import Judging, Scored, ScoreStage
from streamtag.settings import Config
from streamtag.sinks.local import LocalSinks
from streamtag.wire import Publisher
from streamtag.wire.pcm_messages import PauseRequest, decode_message, encode_header

__all__ = ["Overhead", "measure_overhead"]

_ROUNDS = 30
_SHARE_REACHED = 0.0002  # of all scores: an event here and there
_QUIET_SECONDS = 0.02
_GOODBYE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Overhead:
    """Microseconds of processor time in a process that does nothing else; the medians of the rounds."""

    streams: int
    sound_in_us: float
    """A PCM message of 960 ms: read, converted, cut into a patch, queued."""
    patch_us: float
    """All that follows without log-mel and network, in all threads: queue, rolling scores, thresholds, events, headers
    and payloads, numbering, encoding, sending."""


def measure_overhead(config: Config, streams: int) -> Overhead:
    """Give each of so many streams a patch at a time; there is a subscriber to all.

    Raises:
        StreamtagError: the bundle cannot be used.
    """
    return in_a_process(_measure, config, streams)


class _WithoutModel(ScoreStage):
    """Takes known scores for those of any patch."""

    known: NDArray[np.float32]

    def score(self, patches: Sequence[Patch], *, embeds: bool = False) -> Scored:
        return Scored(self.known[: len(patches)])


def _measure(endpoint: str, config: Config, streams: int) -> Overhead:
    publisher = Publisher(endpoint)
    publisher.start()
    wait_for_subscriber(publisher)
    rounds = _Rounds(config, streams, publisher)
    rounds.run()
    sound_in, rest = np.median([rounds.run() for _ in range(_ROUNDS)], axis=0) / streams * 1e6
    rounds.stop()
    publisher.stop()
    return Overhead(streams, float(sound_in), float(rest))


class _Rounds:
    """One patch of each stream a round."""

    def __init__(self, config: Config, streams: int, publisher: Publisher) -> None:
        bundle = Bundle.open(config.model.bundle)
        runtime = open_runtime(bundle, config.model.runtime)
        model = Model.of(DEFAULT, bundle, runtime)
        rules = EventRules(model.labels, config.events)
        stage = _WithoutModel(model, runtime, Judging(rules, config.scores.rolling), config.model.max_batch)
        chance = np.random.default_rng(0)
        known = chance.uniform(0, 0.2, (config.model.max_batch, len(model.labels))).astype(np.float32)
        known[chance.uniform(size=known.shape) < _SHARE_REACHED] = 0.9
        self._publisher = publisher
        stage.known = known
        self._worker = worker = Inference(
            {DEFAULT: stage},
            publisher.publish,
            LocalSinks([]),
            lambda _: None,
            max_batch=config.model.max_batch,
            max_wait=config.model.max_wait_ms / 1000,
        )
        worker.queues.share_among(streams)
        worker.start()

        def make(name: str) -> Intake:
            stream = worker.make_stream(name, "")
            stream.queue.put([partial(worker.add, stream)])
            return stream.intake

        self._pcm = PushedStreams(make, lambda _: None)
        self._headers = [encode_header(f"s{index}", SAMPLE_RATE, 1, "s16le", None) for index in range(streams)]
        sound = bursts(PATCH_SAMPLES / SAMPLE_RATE)
        self._payload = sound[:PATCH_HOP].tobytes()
        for header in self._headers:
            self._push(header, sound[PATCH_HOP:].tobytes())

    def _push(self, header: bytes, payload: bytes) -> None:
        message = decode_message([header, payload])
        assert not isinstance(message, PauseRequest)
        self._pcm.handle(message)

    def run(self) -> tuple[float, float]:
        """Return the seconds of processor time until all is queued, and from there until all is published."""
        go = threading.Event()

        def hold() -> None:
            go.wait()

        self._worker.queues.call(hold)  # so that batches are full
        everywhere, here = time.process_time(), time.thread_time()
        for header in self._headers:
            self._push(header, self._payload)
        sound_in = time.thread_time() - here
        go.set()
        self._settle()
        here = time.thread_time() - here
        return sound_in, time.process_time() - everywhere - here

    def stop(self) -> None:
        """End the thread that scores."""
        self._worker.stop(time.monotonic())
        self._worker.join(_GOODBYE_SECONDS)

    def _settle(self) -> None:
        """Wait until nothing is published any more."""
        before = -1
        while (now := self._publisher.statistics().messages) != before:
            before = now
            time.sleep(_QUIET_SECONDS)
