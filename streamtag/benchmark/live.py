"""Live streams: PCM pushed at the pace of the clock into a real service, its scores received and timed."""

import heapq
import threading
import time
from dataclasses import dataclass

import numpy as np

from streamtag.audio import PATCH_HOP, PATCH_SAMPLES, SAMPLE_RATE
from streamtag.benchmark.service import ServiceProcess
from streamtag.benchmark.sound import bursts
from streamtag.errors import StreamtagError
from streamtag.settings import Config
from streamtag.wire import PcmPusher, Subscriber

__all__ = ["Live", "measure_live"]

_PATCH_SECONDS = PATCH_HOP / SAMPLE_RATE
_BLOCK_SAMPLES = 240  # 15 ms: a patch's last sample is a block's last
_LARGE_BLOCK_SAMPLES = 1920
_MANY_STREAMS = 50
_WARM_UP_SECONDS = 3.0
_START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Live:
    """What so many live streams did and cost."""

    streams: int
    seconds: float
    patches: int
    expected_patches: int
    dropped_patches: int
    """By the service, because it could not keep up."""
    missed_messages: int
    """Between the service and the subscriber."""
    latency_ms_p50: float
    """From the push of a patch's last sample to its scores at the subscriber."""
    latency_ms_p95: float
    latency_ms_p99: float
    latency_ms_max: float
    cpu_percent: float
    """Of one core, by all threads of the service."""
    memory_mb: float
    """Resident, at the end."""


def measure_live(config: Config, streams: int, seconds: float) -> Live:
    """Push `streams` streams for `seconds` after a warm-up of 3 s and time what comes back.

    Raises:
        StreamtagError: the service does not start or takes no sound.
    """
    with ServiceProcess(config, []) as service:
        _wait_until_ready(service)
        pushing = _Pushing(service.input_endpoint, streams)
        names = [f"bench{index}" for index in range(streams)]
        with Subscriber(service.endpoint, kinds=["scores", "service"]) as subscriber:
            listening = _Listening(subscriber, pushing)
            with pushing, listening:
                time.sleep(_WARM_UP_SECONDS)
                listening.begin()
                begin, cpu = time.perf_counter(), service.cpu_seconds()
                time.sleep(seconds)
                took, cpu = time.perf_counter() - begin, service.cpu_seconds() - cpu
                memory = service.memory_megabytes()
                listening.end()
        service.check()
    if pushing.error is not None:
        raise pushing.error
    if not listening.latencies:
        raise StreamtagError(f"no scores of {len(names)} streams in {seconds:g} s: give it longer")
    milliseconds = 1000 * np.array(listening.latencies)
    p50, p95, p99 = np.percentile(milliseconds, (50, 95, 99)).tolist()
    return Live(
        streams=streams,
        seconds=took,
        patches=len(milliseconds),
        expected_patches=int(streams * took / _PATCH_SECONDS),
        dropped_patches=listening.dropped,
        missed_messages=listening.missed,
        latency_ms_p50=p50,
        latency_ms_p95=p95,
        latency_ms_p99=p99,
        latency_ms_max=float(milliseconds.max()),
        cpu_percent=100 * cpu / took,
        memory_mb=memory,
    )


def _wait_until_ready(service: ServiceProcess) -> None:
    with Subscriber(service.endpoint, kinds=["service"]) as subscriber:
        deadline = time.monotonic() + _START_SECONDS
        while subscriber.receive(0.2) is None:
            service.check()
            if time.monotonic() > deadline:
                raise StreamtagError(f"the service did not start in {_START_SECONDS} s")


class _Pushing:
    """The thread that pushes all streams, spread over a patch's time as unrelated sources are."""

    def __init__(self, endpoint: str, streams: int) -> None:
        self.error: StreamtagError | None = None
        self.block_samples = _BLOCK_SAMPLES if streams <= _MANY_STREAMS else _LARGE_BLOCK_SAMPLES
        self.pushed: dict[str, list[float]] = {f"bench{index}": [] for index in range(streams)}
        """By stream, when each of its blocks was pushed, in seconds of `time.perf_counter`."""
        self._endpoint = endpoint
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="streamtag-bench-push", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        size = self.block_samples
        sound = bursts(size * 100 / SAMPLE_RATE).reshape(-1, size)
        period = size / SAMPLE_RATE
        begin = time.perf_counter()
        names = list(self.pushed)
        due = [(begin + _PATCH_SECONDS * index / len(names), name) for index, name in enumerate(names)]
        try:
            with PcmPusher(self._endpoint) as pusher:
                while not self._stopping.is_set():
                    when, name = due[0]
                    wait = when - time.perf_counter()
                    if wait > 0:
                        self._stopping.wait(wait)
                        continue
                    times = self.pushed[name]
                    times.append(time.perf_counter())
                    pusher.push(name, sound[len(times) % len(sound)], SAMPLE_RATE)
                    heapq.heapreplace(due, (when + period, name))
        except StreamtagError as error:
            self.error = error


class _Listening:
    """The thread that receives scores and compares them with when their last samples were pushed."""

    def __init__(self, subscriber: Subscriber, pushing: _Pushing) -> None:
        self.latencies: list[float] = []
        self.missed = 0
        self.dropped = 0
        self._subscriber = subscriber
        self._pushing = pushing
        self._counting = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="streamtag-bench-listen", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def begin(self) -> None:
        """Count from now on."""
        self._counting.set()

    def end(self) -> None:
        """Count no more."""
        self._counting.clear()

    def _run(self) -> None:
        while not self._stopping.is_set():
            message = self._subscriber.receive(0.2)
            now = time.perf_counter()
            if message is None or not self._counting.is_set():
                continue
            self.missed += message.missed
            if message.header["kind"] == "service":
                self.dropped = message.header["dropped_patches"]
                continue
            times = self._pushing.pushed[message.header["stream"]]
            last_sample = round(message.header["start"] * SAMPLE_RATE) + PATCH_SAMPLES - 1
            self.latencies.append(now - times[last_sample // self._pushing.block_samples])
