"""Whether scoring notices strangers: live streams with a key, beside connections that have none, and without, in turns.

    python -m benchmarks.strangers --streams 500 --tries 10000 --rounds 3

Each try connects to one of the service's two ports, greets as a client with or without encryption does, and is gone.
The processes that try are held to the machine's last core where there are more than one. They still take that core
from the service, so a third turn has as many tries at a port of somebody else on that core: between it and the tries at
the service lies what the service itself notices. How many tries a second there were is printed, and how long it took a
new subscriber with a key to be let in beside them.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized

import numpy as np

from streamtag.benchmark.live_streams import LatencyMeter, wait_until_ready
from streamtag.benchmark.load_generator import LoadGenerator, Plan
from streamtag.benchmark.machine import describe_machine
from streamtag.benchmark.service import ServiceProcess
from streamtag.settings import Config, ModelSettings
from streamtag.wire import Subscriber

NOBODY, ELSEWHERE, SERVICE = "nobody", "somebody else", "the service"
TRIED = (NOBODY, ELSEWHERE, SERVICE)

_HEAD_START_SECONDS = 0.5
_BLOCK_SAMPLES = 15_360
_PROCESSES = 2
_MOST_JOIN_SECONDS = 60.0
_STEP_SECONDS = 0.005
_GREETINGS = tuple(
    b"\xff" + bytes(8) + b"\x7f\x03\x00" + mechanism.ljust(20, b"\0") + bytes(32) for mechanism in (b"NULL", b"CURVE")
)


@dataclass(frozen=True, slots=True)
class Round:
    """What one run measured, in milliseconds from a patch's last sample to its scores at a subscriber."""

    p50_ms: float
    p99_ms: float
    missing: int
    tries_a_second: float
    cpu_percent: float
    """Of one core, by the service."""
    megabytes: float
    join_seconds: float
    """Until a new subscriber heard something."""


def measure(streams: int, seconds: float, tries: float, whom: str) -> Round:
    """Push streams for some seconds and time their scores, with so many tries a second beside, at one of `TRIED`."""
    with ExitStack() as stack:
        service = stack.enter_context(ServiceProcess(Config(model=ModelSettings(bundle="fast")), [], with_keys=True))
        wait_until_ready(service)
        subscriber = Subscriber(service.endpoint, kinds=["scores", "service"], key=service.key)
        stack.enter_context(subscriber)
        generator = stack.enter_context(LoadGenerator(service.input_endpoint, service.key))
        ports = [int(endpoint.rpartition(":")[2]) for endpoint in (service.endpoint, service.input_endpoint)]
        if whom == ELSEWHERE:
            ports = [stack.enter_context(somebody_else())]
        count = stack.enter_context(strangers(ports, 0.0 if whom == NOBODY else tries))
        plan = Plan.of(streams, _BLOCK_SAMPLES, time.monotonic() + _HEAD_START_SECONDS, seconds, None, 0.0)
        meter = LatencyMeter(subscriber, plan)
        generator.begin(plan)
        meter.until(plan.count_from)
        began, before, cpu = time.monotonic(), count.value, service.cpu_seconds()
        meter.until(plan.end)
        took = time.monotonic() - began
        tried, cpu = (count.value - before) / took, 100 * (service.cpu_seconds() - cpu) / took
        meter.rest()
        joined = _seconds_to_join(service)
        service.check()
        p50, p99 = np.percentile(1000 * np.array(meter.latencies), (50, 99)).tolist()
        missing = sum(meter.expected) - len(meter.latencies)
        return Round(p50, p99, missing, tried, cpu, service.memory_megabytes(), joined)


def _seconds_to_join(service: ServiceProcess) -> float:
    began = time.monotonic()
    with Subscriber(service.endpoint, kinds=["service"], key=service.key) as late:
        late.receive(_MOST_JOIN_SECONDS)
    return time.monotonic() - began


@contextmanager
def somebody_else() -> Iterator[int]:
    """Let a process take in whoever connects, on the core of those who try; yield its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        process = multiprocessing.get_context("spawn").Process(target=_accept, args=(listener,), daemon=True)
        process.start()
        try:
            yield listener.getsockname()[1]
        finally:
            process.terminate()
            process.join()


def _accept(listener: socket.socket) -> None:
    _move_aside()
    while True:
        with suppress(OSError):
            listener.accept()[0].close()


@contextmanager
def strangers(ports: Sequence[int], tries: float) -> Iterator["Synchronized[int]"]:
    """Let processes try to connect so often a second; yield how often they did."""
    context = multiprocessing.get_context("spawn")
    count = context.Value("L", 0)
    rate = tries / _PROCESSES
    processes = [context.Process(target=_try, args=(ports, rate, count), daemon=True) for _ in range(_PROCESSES)]
    for process in processes if tries else []:
        process.start()
    try:
        yield count
    finally:
        for process in processes if tries else []:
            process.terminate()
            process.join()


def _move_aside() -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[-1]})
    os.nice(5)


def _try(ports: Sequence[int], rate: float, count: "Synchronized[int]") -> None:
    _move_aside()
    tries = zip(itertools.cycle(ports), itertools.cycle((*_GREETINGS, b"")), strict=False)
    due = time.monotonic()
    while True:
        number = max(1, round(rate * _STEP_SECONDS))
        for port, greeting in itertools.islice(tries, number):
            with suppress(OSError), socket.socket() as connection:
                connection.setblocking(False)  # on one machine it is there at once
                connection.connect_ex(("127.0.0.1", port))
                connection.send(greeting)
        with count.get_lock():
            count.value += number
        due = max(due + number / rate, time.monotonic() - _STEP_SECONDS)
        time.sleep(max(0.0, due - time.monotonic()))


def main() -> None:
    """Measure in turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--tries", type=float, default=10_000.0, help="a second")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=3, help="of each of the three")
    options = parser.parse_args()
    print(json.dumps(describe_machine()), file=sys.stderr)
    found: dict[str, list[Round]] = {whom: [] for whom in TRIED}
    columns = ("strangers at", "tries a second", "p50 ms", "p99 ms", "missing", "CPU %", "MB", "new one in, s")
    print(f"| {' | '.join(columns)} |\n|---{'|---:' * (len(columns) - 1)}|")
    for number in range(options.rounds):
        for whom in TRIED if number % 2 == 0 else reversed(TRIED):  # what drifts meets all alike
            each = measure(options.streams, options.seconds, options.tries, whom)
            found[whom].append(each)
            row = f"{each.tries_a_second:.0f} | {each.p50_ms:.1f} | {each.p99_ms:.1f} | {each.missing}"
            row += f" | {each.cpu_percent:.0f} | {each.megabytes:.0f} | {each.join_seconds:.1f}"
            print(f"| {whom} | {row} |", flush=True)
    medians = {whom: float(np.median([each.p99_ms for each in found[whom]])) for whom in TRIED}
    print("\nmedian p99: " + ", ".join(f"{value:.1f} ms with strangers at {whom}" for whom, value in medians.items()))
    for whom in (NOBODY, ELSEWHERE):
        print(
            f"with strangers at the service {medians[SERVICE] / medians[whom]:.2f} times that with strangers at {whom}"
        )


if __name__ == "__main__":
    main()
