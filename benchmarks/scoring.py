"""Patches from memory through the engine's own inference threads: what scoring and publishing carry by themselves."""

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import BANDS, FRAMES, PATCH_HOP, PATCH_SAMPLES, SAMPLE_RATE, Block, Patch, Patcher
from streamtag.benchmark.load_generator import bursts
from streamtag.benchmark.worker_process import in_a_process, wait_for_subscriber
from streamtag.bundle import Bundle
from streamtag.engine.inference import Inference
from streamtag.engine.stream import EngineStream
from streamtag.events import EventRules
from streamtag.machine import processor_seconds
from streamtag.model import DEFAULT, Model
from streamtag.runtimes import ListRuntime, Runtime, load_runtime, open_runtime
from streamtag.scoring import Judging, ScoreStage
from streamtag.settings import Config
from streamtag.sinks.local import LocalSinks
from streamtag.threads import Worker
from streamtag.wire import Publisher
from streamtag.workers import Open, ScoringWorker, end_workers, open_in_workers

__all__ = ["NETWORK_BATCHES", "Scaling", "Scoring", "Variant", "measure_scaling", "measure_scoring"]

NETWORK_BATCHES = (1, 8, 16, 32, 64, 256)
_STREAMS_A_THREAD = 100
_ROUNDS = 3
_WARM_UP_SECONDS = 1.0
_NETWORK_SECONDS = 0.3
"""Both at most: neither lasts longer than what it is for."""
_LOOK_SECONDS = 0.002
_GOODBYE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run a bundle."""

    bundle: str
    """A packaged name, or a path."""
    runtime: str
    file: str | None = None
    """Of the bundle; None: the one that the runtime takes by itself."""

    def open(self, max_batch: int) -> Runtime:
        """Open it.

        Raises:
            StreamtagError: the bundle, the file or the runtime is not there or cannot be used.
        """
        bundle = Bundle.open(self.bundle)
        if self.file is None:
            return open_runtime(bundle, self.runtime, max_batch=max_batch)
        model: Runtime = load_runtime(self.runtime).open_file(bundle, self.file, 1)
        return model


@dataclass(frozen=True, slots=True)
class Scoring:
    """How fast so many inference threads go through patches that lie in memory."""

    bundle: str
    runtime: str
    """With device and precision."""
    threads: int
    network_ms: dict[int, float]
    """By batch size, the network alone, a patch, in one thread; the median."""
    patches: int
    cpu_ms_a_patch: float
    """Log-mel, network, rolling scores, events, publishing, of all threads together."""
    patches_a_second: float
    """By the clock."""
    streams: int
    """That many live streams have so many patches."""
    process_mb: float | None = None
    """Memory that a process which scored has to itself, of the one with most; None where none but this one scored."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """One core and two, in turn."""

    one: list[Scoring]
    two: list[Scoring]
    """Empty where there is one core only."""
    factor: float | None
    """Patches a second of two cores over those of one, the median of the rounds."""


def measure_scaling(config: Config, seconds: float) -> Scaling:
    """Score as fast as possible on one core and on two, three times in turn, for `seconds` each.

    Raises:
        StreamtagError: the bundle or the runtime cannot be used.
    """
    cores = sorted(os.sched_getaffinity(0))
    variant = Variant(config.model.bundle, config.model.runtime)
    one, two = [], []
    for _ in range(_ROUNDS):
        one.append(measure_scoring(config, variant, seconds, cores[:1]))
        if len(cores) > 1:
            two.append(measure_scoring(config, variant, seconds, cores[:2]))
    factors = [b.patches_a_second / a.patches_a_second for a, b in zip(one, two, strict=False)]
    return Scaling(one, two, float(np.median(factors)) if factors else None)


def measure_scoring(config: Config, variant: Variant, seconds: float, cores: Sequence[int]) -> Scoring:
    """Score as fast as possible for `seconds`, held to these cores, with one process on each as a service has them.

    Raises:
        StreamtagError: the bundle or the runtime cannot be used.
    """
    return in_a_process(_score, config, variant, seconds, len(cores), cores=set(cores))


def _score(endpoint: str, config: Config, variant: Variant, seconds: float, threads: int) -> Scoring:
    bundle = Bundle.open(variant.bundle)
    rules = EventRules(bundle.label_set, config.events)
    here = variant.open(config.model.max_batch)
    network_seconds = min(seconds, _NETWORK_SECONDS)
    network = {batch: _network_ms(here, batch, network_seconds) for batch in NETWORK_BATCHES}
    processes: list[ScoringWorker] = []
    runtimes: Sequence[Runtime | ListRuntime] = [here]
    if threads > 1 and variant.file is None:
        processes = [ScoringWorker(number) for number in range(1, threads + 1)]
        runtimes = open_in_workers(
            processes, Open(variant.bundle, variant.runtime, config.model.max_batch, PATCH_SAMPLES)
        )
    publisher = Publisher(endpoint)
    publisher.start()
    wait_for_subscriber(publisher)
    model = Model.of(DEFAULT, bundle, runtimes[0])
    workers = [
        Inference(
            {DEFAULT: ScoreStage(model, runtime, Judging(rules, config.scores.rolling), config.model.max_batch)},
            publisher.publish,
            LocalSinks([]),
            _ignore,
            max_batch=config.model.max_batch,
            max_wait=config.model.max_wait_ms / 1000,
            worker=process,
        )
        for runtime, process in zip_longest(runtimes, processes)
    ]
    patches = Patcher().feed(Block(bursts(60.0), 0, SAMPLE_RATE, 0.0))
    over = threading.Event()
    for number, worker in enumerate(workers):
        worker.queues.share_among(_STREAMS_A_THREAD)
        streams = [worker.make_stream(f"s{number}.{index}", "") for index in range(_STREAMS_A_THREAD)]
        worker.start()
        windows = [patch.window for patch in patches]
        Worker(f"feed-{number}", partial(_feed, streams, windows, over), on_failure=_ignore).start()
    time.sleep(min(seconds, _WARM_UP_SECONDS))
    before = _next_scored(workers)
    begin, cpu = time.monotonic(), _cpu_seconds(processes)
    time.sleep(seconds)
    done = _next_scored(workers) - before
    took, cpu = time.monotonic() - begin, _cpu_seconds(processes) - cpu
    held = max((_own_megabytes(each.pid) for each in processes if each.pid is not None), default=None)
    over.set()
    for worker in workers:
        worker.stop(time.monotonic())
        worker.join(_GOODBYE_SECONDS)
    publisher.stop()
    end_workers(processes)
    runtime = runtimes[0]
    return Scoring(
        bundle=bundle.name,
        runtime=f"{runtime.name} {runtime.device} {runtime.precision}",
        threads=threads,
        network_ms=network,
        patches=done,
        cpu_ms_a_patch=1000 * cpu / done,
        patches_a_second=done / took,
        streams=int(done / took * PATCH_HOP / SAMPLE_RATE),
        process_mb=held,
    )


def _cpu_seconds(processes: Sequence[ScoringWorker]) -> float:
    """Return the processor time of this process, and of those that score for it."""
    return time.process_time() + sum(processor_seconds(each.pid) for each in processes if each.pid is not None)


def _own_megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private")) / 1024


def _ignore(error: BaseException) -> None:
    """`_scored` asks."""


def _scored(workers: Sequence[Inference]) -> int:
    for worker in workers:
        if worker.error is not None:
            raise worker.error
    return sum(worker.scored for worker in workers)


def _next_scored(workers: Sequence[Inference]) -> int:
    """Wait until a thread is done with a batch, and return how many patches were scored."""
    before = now = _scored(workers)
    while now == before:
        time.sleep(_LOOK_SECONDS)
        now = _scored(workers)
    return now


def _feed(streams: Sequence[EngineStream], windows: Sequence[NDArray[np.float32]], over: threading.Event) -> None:
    number = 0
    while not over.is_set():
        for index, stream in enumerate(streams):
            window = windows[(number + index) % len(windows)]
            patch = Patch(number * PATCH_HOP, window, time.time(), -20.0, -10.0)
            stream.queue.put([patch], wait=True)
        number += 1


def _network_ms(runtime: Runtime, batch: int, seconds: float) -> float:
    log_mels = np.random.default_rng(0).normal(-2, 2, (batch, FRAMES, BANDS)).astype(np.float32)
    took: list[float] = []
    until = time.monotonic() + seconds
    while len(took) < 5 or time.monotonic() < until:
        begin = time.process_time()  # a runtime may have threads of its own
        runtime.run(log_mels)
        took.append(time.process_time() - begin)
    return 1000 * float(np.median(took)) / batch
