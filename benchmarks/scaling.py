"""What two cores carry more than one, what a machine of more cores carries by that, and which part ends it first.

    python -m benchmarks.scaling --json scaling.json

Measured are patches from memory and eight recordings played as fast as possible through `streamtag run`, on one core
and on two in turn, with what two cores of this machine carry of work that shares nothing; what the service itself
spends on a patch, which no further core takes off it; and how many messages its publisher's thread sends. The rest is a
model of these, whose values for one core and two stand beside those.
"""

import argparse
import os
import sys
import tempfile
import time
import wave
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np
import zmq
from msgspec.structs import replace

from benchmarks.scoring import Scaling, Variant, measure_scaling
from benchmarks.separate_work import SeparateWork, measure_separate_work
from streamtag.audio import SAMPLE_RATE
from streamtag.benchmark.live_streams import wait_until_ready
from streamtag.benchmark.load_generator import PATCH_SECONDS, bursts
from streamtag.benchmark.machine import describe_machine, first_cores, held_to
from streamtag.benchmark.overhead import Overhead, measure_overhead
from streamtag.benchmark.service import ServiceProcess
from streamtag.benchmark.worker_process import in_a_process, wait_for_subscriber
from streamtag.cli.bench_view import heading
from streamtag.config import load_config
from streamtag.settings import Config
from streamtag.wire import Publisher
from streamtag.wire.messages import Outgoing, ScoresHeader, TopLabel

__all__ = ["CORES", "Carried", "carried", "measure_publisher", "measure_recordings", "print_scaling"]

CORES = (1, 2, 8, 16, 64)
_ROUNDS = 3
_SECONDS = 5.0
_SEPARATE_SECONDS = 2.0
_WARM_UP_SECONDS = 2.0
_PORTION_SECONDS = 0.02
_STREAMS = 1000
_RECORDINGS = 8
_RECORDING_SECONDS = 600
_BATCH = 64
_MESSAGES = 60_000
_LABELS = 400


@dataclass(frozen=True, slots=True)
class Carried:
    """What so many cores carry, by the model."""

    cores: int
    from_memory: float
    """Patches a second, from memory to published messages."""
    live_streams: float
    """Of PCM over ZeroMQ, 960 ms in a message."""
    ended_by: str
    """What is full first where streams are live: the cores, or the service's interpreter."""


def carried(cores: int, score_ms: float, overhead: Overhead) -> Carried:
    """Return what so many cores carry.

    Args:
        cores: how many.
        score_ms: processor time of front end and network, a patch.
        overhead: what the service itself spends beside that; it is one interpreter's, so that no more than one core's
            time is there for it.
    """
    publish_ms, live_ms = overhead.patch_us / 1000, (overhead.patch_us + overhead.sound_in_us) / 1000
    by_cores = 1000 * cores / (score_ms + live_ms)
    by_interpreter = 1000 / live_ms
    return Carried(
        cores,
        min(1000 * cores / (score_ms + publish_ms), 1000 / publish_ms),
        min(by_cores, by_interpreter) * PATCH_SECONDS,
        "the cores" if by_cores < by_interpreter else "the service's interpreter",
    )


def measure_publisher() -> float:
    """Return how many scores messages of 400 labels the publisher's thread sends in a second of its processor time."""
    return in_a_process(_publish)


def _publish(endpoint: str) -> float:
    publisher = Publisher(endpoint)
    publisher.start()
    wait_for_subscriber(publisher)
    rows = np.zeros((2, _LABELS), np.float32)
    spent = 0.0
    for first in range(0, _MESSAGES, _BATCH):
        messages = [Outgoing(_header(number), rows.tobytes()) for number in range(first, first + _BATCH)]
        done, before, here = publisher.statistics().messages, time.process_time(), time.thread_time()
        publisher.publish(messages)
        while publisher.statistics().messages < done + _BATCH:
            time.sleep(0.0002)
        spent += time.process_time() - before - (time.thread_time() - here)
    publisher.stop()
    return _MESSAGES / spent


def _header(number: int) -> ScoresHeader:
    return ScoresHeader(
        time=0.0,
        stream=f"s{number % _STREAMS}",
        start=0.0,
        end=PATCH_SECONDS,
        model="default",
        labels_hash="0" * 64,
        n=_LABELS,
        rolling=5,
        rms_dbfs=-20.0,
        peak_dbfs=-10.0,
        lost_samples=0,
        top=[TopLabel("Speech", 0.5)] * 5,
    )


def measure_recordings(config: Config, cores: int, seconds: float) -> float:
    """Play eight recordings as fast as possible on so many cores; return the patches that are scored in a second.

    Raises:
        StreamtagError: the service does not start.
    """
    held, others = first_cores(cores)
    with tempfile.TemporaryDirectory(prefix="streamtag-bench-") as folder:
        path = Path(folder, "bursts.wav")
        with wave.open(str(path), "wb") as recording:
            recording.setnchannels(1)
            recording.setsampwidth(2)
            recording.setframerate(SAMPLE_RATE)
            recording.writeframes(bursts(_RECORDING_SECONDS).tobytes())
        streams = [{"id": f"r{number}", "source": f"file:{path}", "loop": True} for number in range(_RECORDINGS)]
        with ServiceProcess(config, list(streams), held) as service, held_to(others):
            wait_until_ready(service)
            with zmq.Context() as context, context.socket(zmq.SUB) as scores:
                scores.set(zmq.RCVHWM, 0)
                scores.subscribe(b"scores/")
                scores.connect(service.endpoint)
                _count(scores, _WARM_UP_SECONDS)
                return _count(scores, seconds) / seconds


def _count(scores: "zmq.Socket[bytes]", seconds: float) -> int:
    """Count messages without reading them, in portions: on two cores the service shares both with whoever listens."""
    until, count = time.monotonic() + seconds, 0
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(_PORTION_SECONDS, left))
        with suppress(zmq.Again):
            while True:
                count += not scores.recv(zmq.NOBLOCK, copy=False).more
    return count


def print_scaling(
    separate: Sequence[SeparateWork],
    scaling: Scaling,
    recordings: Sequence[tuple[float, float]],
    overhead: Overhead,
    messages: float,
) -> None:
    """Print what was measured, and behind it what the model makes of that.

    Args:
        separate: work that shares nothing, on one core and on two.
        scaling: from memory, on one core and on two.
        recordings: patches a second of recordings through the service, on one core and on two.
        overhead: what the service itself spends.
        messages: how many one publisher's thread sends.
    """
    best = min(run.cpu_ms_a_patch for run in scaling.one)
    score_ms = best - overhead.patch_us / 1000
    _print_factors(
        "products of small matrices a second, by processes that share nothing", [each.products for each in separate]
    )
    _print_factors(
        "front end and network, patches a second, by processes that share nothing", [each.patches for each in separate]
    )
    from_memory = [(a.patches_a_second, b.patches_a_second) for a, b in zip(scaling.one, scaling.two, strict=False)]
    _print_factors("from memory, patches a second", from_memory)
    _print_factors(f"{_RECORDINGS} recordings as fast as possible through the service", recordings)
    print(f"one publisher's thread: {messages:,.0f} messages in a second of processor time, its ZeroMQ thread included")
    print(
        f"a patch: {score_ms:.3f} ms front end and network; {overhead.patch_us:.0f} µs from its queue to the wire and "
        f"{overhead.sound_in_us:.0f} µs to take its PCM in, by the service itself"
    )
    if held := [run.process_mb for run in scaling.two if run.process_mb is not None]:
        print(f"a process that scores has {max(held):.0f} MB to itself")
    print("by the model: cores, patches a second from memory, live streams, ended by")
    for cores in CORES:
        row = carried(cores, score_ms, overhead)
        print(f"  {cores:3} {row.from_memory:10,.0f} {row.live_streams:10,.0f}  {row.ended_by}")


def _print_factors(what: str, pairs: Sequence[tuple[float, float]]) -> None:
    print(f"{what}: one core, two, factor")
    for one, two in pairs:
        print(f"  {one:8.0f} {two:8.0f} {two / one:6.2f}")


def main() -> None:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--config", type=Path, help="whose model and scores are used")
    parser.add_argument("--bundle", help="the bundle to run")
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it as JSON")
    options = parser.parse_args()
    config = load_config(options.config) if options.config else Config()
    config = replace(config, model=replace(config.model, bundle=options.bundle or config.model.bundle))
    print(heading(describe_machine()), file=sys.stderr)
    scaling = measure_scaling(config, _SECONDS)
    variant = Variant(config.model.bundle, config.model.runtime)
    two = min(2, len(os.sched_getaffinity(0)))
    separate, recordings = [], []
    for _ in range(options.rounds):
        separate.append(measure_separate_work(variant, _SEPARATE_SECONDS))
        recordings.append((measure_recordings(config, 1, _SECONDS), measure_recordings(config, two, _SECONDS)))
    overhead, messages = measure_overhead(config, _STREAMS), measure_publisher()
    print_scaling(separate, scaling, recordings, overhead, messages)
    if options.json:
        found = {
            "machine": describe_machine(),
            "separate": [asdict(each) for each in separate],
            "scaling": asdict(scaling),
            "recordings": recordings,
            "overhead": asdict(overhead),
            "messages": messages,
        }
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")


if __name__ == "__main__":
    main()
