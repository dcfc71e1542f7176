"""Live streams: PCM pushed at the pace of the clock into a real service, its scores received and timed."""

import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from streamtag.audio import PATCH_HOP, SAMPLE_RATE
from streamtag.benchmark.load_generator import SETTLE_SECONDS, LoadGenerator, Plan, stream_number
from streamtag.benchmark.machine import held_to
from streamtag.benchmark.service import ServiceProcess
from streamtag.errors import StreamtagError
from streamtag.settings import Config
from streamtag.wire import Message, Subscriber

__all__ = [
    "IN_TIME_MS",
    "LARGE_BLOCK",
    "SHORT_BLOCK",
    "WHOLE_PATCH",
    "LatencyMeter",
    "LiveRun",
    "LiveStreams",
    "live_run",
    "measure_live",
    "wait_until_ready",
]

IN_TIME_MS = 100.0
SHORT_BLOCK = 240
"""15 ms, as a sound card or a browser gives it."""
LARGE_BLOCK = 1920
"""120 ms."""
WHOLE_PATCH = PATCH_HOP
"""960 ms: the fewest messages, as for many streams on one machine."""

_READY_SECONDS = 60.0
_HEAD_START_SECONDS = 0.5
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class LiveStreams:
    """What so many live streams did and cost."""

    streams: int
    cores: int | None
    """That the service was held to; None: all."""
    block_ms: float
    """Sound in one message."""
    seconds: float
    patches: int
    expected_patches: int
    dropped_patches: int
    """Never scored, or more than 5 s after the end, because the service could not keep up."""
    dropped_percent_least: float
    """Of the stream that lost the smallest part of its patches."""
    dropped_percent_most: float
    missed_messages: int
    """Between the service and the subscriber."""
    latency_ms_p50: float | None
    """From when a patch's last sample was captured, and to be pushed, to its scores at the subscriber; None: no patch
    came in time."""
    latency_ms_p95: float | None
    latency_ms_p99: float | None
    latency_ms_max: float | None
    pushed_late_ms_p99: float | None
    """How late blocks were pushed: part of the latency that is not the service's unless it takes no more; None: of
    what counts nothing was pushed at all."""
    cpu_percent: float
    """Of one core, by all threads of the service."""
    cpu_ms_a_patch: float
    memory_mb: float
    """Resident, at the end."""
    sustainable_streams: int | None
    """What the service said at the end."""
    in_real_time: bool
    """Whether nothing was lost and 99 of 100 patches came within 100 ms."""


class LatencyMeter:
    """Hears the scores of planned streams.

    Attributes:
        streams: whose patch it was, of each that counts and came.
        captured: when its last sample was captured, in seconds of `time.monotonic`.
        latencies: seconds from then to its scores here.
        expected: by stream, how many patches count.
        scored: how many patches came, counted or not.
        missed: messages lost between the service and here.
        sustainable_streams: what the service last said of itself.
    """

    def __init__(self, subscriber: Subscriber, plan: Plan) -> None:
        """Prepare to hear."""
        self.streams = array("l")
        self.captured = array("d")
        self.latencies = array("d")
        self.scored = 0
        self.expected = [plan.expected(stream) for stream in range(plan.streams)]
        self.missed = 0
        self.sustainable_streams: int | None = None
        self._subscriber = subscriber
        self._plan = plan

    def until(self, when: float) -> None:
        """Hear until `when`, in seconds of `time.monotonic`."""
        while (left := when - time.monotonic()) > 0:
            message = self._subscriber.receive(left)
            if message is not None:
                self._record(message, time.monotonic())

    def rest(self) -> None:
        """Hear what still comes: until all has come, or for five seconds."""
        most = sum(self.expected)
        deadline = time.monotonic() + _GRACE_SECONDS
        while len(self.latencies) < most and (left := deadline - time.monotonic()) > 0:
            message = self._subscriber.receive(left)
            if message is not None:
                self._record(message, time.monotonic())

    def _record(self, message: Message, now: float) -> None:
        header = message.header
        if header["kind"] == "service":
            self.sustainable_streams = header["sustainable_streams"]
            return
        self.scored += 1
        stream = stream_number(header["stream"])
        captured = self._plan.captured(stream, round(header["start"] * SAMPLE_RATE))
        if self._plan.counts(stream, captured):
            self.missed += message.missed
            self.streams.append(stream)
            self.captured.append(captured)
            self.latencies.append(now - captured)


@dataclass(frozen=True, slots=True)
class LiveRun:
    """What takes part; the streams have been started."""

    service: ServiceProcess
    plan: Plan
    meter: LatencyMeter
    generator: LoadGenerator

    def finish(self) -> float | None:
        """Hear what still comes, and return how late blocks were pushed, in seconds, as `LoadGenerator.lateness` does.

        Raises:
            StreamtagError: the service ended.
        """
        self.meter.rest()
        self.service.check()
        return self.generator.lateness()


@contextmanager
def live_run(
    config: Config,
    streams: int,
    seconds: float,
    *,
    block_samples: int = WHOLE_PATCH,
    few: int | None = None,
    few_seconds: float = 0.0,
    settle_seconds: float = SETTLE_SECONDS,
    cores: set[int] | None = None,
    other_cores: set[int] | None = None,
) -> Iterator[LiveRun]:
    """Start a service, and have streams pushed into it as `Plan.of` says.

    Args:
        config: whose model and scores are used.
        streams: how many.
        seconds: how long all of them count.
        block_samples: samples at 16 kHz in one message; divides 15360.
        few: how many go on after that; all, when absent.
        few_seconds: how long those go on.
        settle_seconds: how long all streams go on before anything counts.
        cores: what the service is held to; all, when absent.
        other_cores: what pushes and listens is held to; as `cores`.

    Raises:
        StreamtagError: the service does not start.
    """
    with ServiceProcess(config, [], cores) as service:
        wait_until_ready(service)
        with (
            held_to(other_cores or set()),
            Subscriber(service.endpoint, kinds=["scores", "service"]) as subscriber,
            LoadGenerator(service.input_endpoint) as generator,
        ):
            begin = time.monotonic() + _HEAD_START_SECONDS
            plan = Plan.of(streams, block_samples, begin, seconds, few, few_seconds, settle_seconds)
            meter = LatencyMeter(subscriber, plan)
            generator.begin(plan)
            yield LiveRun(service, plan, meter, generator)


def wait_until_ready(service: ServiceProcess) -> None:
    """Wait for the service's first word.

    Raises:
        StreamtagError: it ended, or says nothing.
    """
    with Subscriber(service.endpoint, kinds=["service"], key=service.key) as subscriber:
        deadline = time.monotonic() + _READY_SECONDS
        while subscriber.receive(0.2) is None:
            service.check()
            if time.monotonic() > deadline:
                raise StreamtagError(f"the service did not start in {_READY_SECONDS:g} s")


def measure_live(
    config: Config,
    streams: int,
    seconds: float,
    block_samples: int = WHOLE_PATCH,
    cores: set[int] | None = None,
    other_cores: set[int] | None = None,
) -> LiveStreams:
    """Push `streams` streams for `seconds` after they have begun and settled, and time what comes back.

    Args:
        config: whose model and scores are used.
        streams: how many.
        seconds: how long.
        block_samples: samples at 16 kHz in one message; divides 15360.
        cores: what the service is held to.
        other_cores: what pushes and listens is held to.

    Raises:
        StreamtagError: the service does not start, or ends.
    """
    with live_run(config, streams, seconds, block_samples=block_samples, cores=cores, other_cores=other_cores) as run:
        meter = run.meter
        meter.until(run.plan.count_from)
        begin, cpu, scored = time.monotonic(), run.service.cpu_seconds(), meter.scored
        meter.until(run.plan.end)
        took, cpu = time.monotonic() - begin, run.service.cpu_seconds() - cpu
        scored = meter.scored - scored
        memory = run.service.memory_megabytes()
        late = run.finish()
    expected = np.array(meter.expected)
    milliseconds = 1000 * np.array(meter.latencies)
    received = np.bincount(meter.streams, minlength=streams)
    lost_percent = 100 * (1 - received[expected > 0] / expected[expected > 0])
    p50, p95, p99, largest = (
        np.percentile(milliseconds, (50, 95, 99, 100)).tolist() if len(milliseconds) else [None] * 4
    )
    dropped = max(0, int(expected.sum()) - len(milliseconds) - meter.missed)
    return LiveStreams(
        streams=streams,
        cores=None if cores is None else len(cores),
        block_ms=1000 * block_samples / SAMPLE_RATE,
        seconds=took,
        patches=len(milliseconds),
        expected_patches=int(expected.sum()),
        dropped_patches=dropped,
        dropped_percent_least=float(lost_percent.min()),
        dropped_percent_most=float(lost_percent.max()),
        missed_messages=meter.missed,
        latency_ms_p50=p50,
        latency_ms_p95=p95,
        latency_ms_p99=p99,
        latency_ms_max=largest,
        pushed_late_ms_p99=None if late is None else 1000 * late,
        cpu_percent=100 * cpu / took,
        cpu_ms_a_patch=1000 * cpu / max(1, scored),
        memory_mb=memory,
        sustainable_streams=meter.sustainable_streams,
        in_real_time=not dropped and not meter.missed and p99 is not None and p99 < IN_TIME_MS,
    )
