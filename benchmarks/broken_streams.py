"""What broken streams do to the others: the same good streams alone, beside broken ones, and beside good ones in their
place, in turn within one run.

    python -m benchmarks.broken_streams --streams 1000 --broken 100 --rounds 3

A real service takes PCM of live streams over ZeroMQ. Latency is from when a patch's last sample was due to be pushed to
its scores at a subscriber, of the good streams alone.
"""

import argparse
import heapq
import itertools
import json
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import zmq
from numpy.typing import NDArray

from streamtag.audio import PATCH_HOP, PATCH_SAMPLES, SAMPLE_RATE
from streamtag.benchmark.load_generator import bursts
from streamtag.benchmark.machine import describe_machine
from streamtag.benchmark.service import ServiceProcess
from streamtag.settings import Config, ModelSettings
from streamtag.wire import Subscriber
from streamtag.wire.pcm_messages import encode_end, encode_header

__all__ = ["BROKEN", "Frames", "frames_of"]

BLOCK = PATCH_HOP // 8
"""Samples of a good stream's message: 120 ms."""
PATCH_SECONDS = PATCH_HOP / SAMPLE_RATE
WARM_UP_SECONDS = 4.0

Frames = list[bytes]
Fault = Callable[[str, int, bytes], Frames]


def frames_of(stream: str, payload: bytes, *, sample_format: str = "s16le", **changes: object) -> Frames:
    """Return a message with PCM, and other fields in its header than belong there if so wished."""
    header = encode_header(stream, SAMPLE_RATE, 1, sample_format, None)
    return [json.dumps(json.loads(header) | changes).encode() if changes else header, payload]


def _not_finite(stream: str, number: int, payload: bytes) -> Frames:
    sound = np.full(len(payload) // 2, (np.nan, np.inf, -np.inf, 1e30)[number % 4], "<f4")
    return frames_of(stream, sound.tobytes(), sample_format="f32le")


def _odd_rate(stream: str, number: int, payload: bytes) -> Frames:
    return frames_of(stream, payload, rate=(8001, 11025, 44100, 191999)[number % 4])


def _ends(stream: str, number: int, payload: bytes) -> Frames:
    return [encode_end(stream), b""] if number % 3 == 2 else frames_of(stream, payload)


def _too_large(stream: str, number: int, payload: bytes) -> Frames:
    return frames_of(stream, bytes((1 << 20) + 2) if number % 8 == 0 else payload)


BROKEN: dict[str, Fault] = {
    "silent": lambda stream, number, payload: frames_of(stream, bytes(len(payload))),
    "not finite": _not_finite,
    "odd rate": _odd_rate,
    "stalled": lambda stream, number, payload: frames_of(stream, payload) if number < 4 else [],
    "jumps": lambda stream, number, payload: frames_of(stream, payload, start=number * 7_919_317 % 1_000_003),
    "ends": _ends,
    "half a sample": lambda stream, number, payload: frames_of(stream, payload[:-1]),
    "too large": _too_large,
    "bad header": lambda stream, number, payload: frames_of(stream, payload, rate=-1, channels="two"),
    "no header": lambda stream, number, payload: [b"\xff{" + stream.encode(), payload],
    "three frames": lambda stream, number, payload: [*frames_of(stream, payload), payload],
}
"""What a broken stream pushes as its message of a number instead of a payload; nothing is pushed of no frames."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Who pushes what when."""

    good: int
    """Those whose latency is measured."""
    others: int
    broken: bool
    """Whether the others are broken, or as good."""
    begin: float
    """`time.monotonic()`, which is the same in all processes."""
    seconds: float

    def due(self, stream: int, number: int) -> float:
        """When a stream's message is pushed; the streams are spread over a patch."""
        spread = PATCH_SECONDS * stream / (self.good + self.others)
        return self.begin + spread + (number + 1) * BLOCK / SAMPLE_RATE


def push(endpoint: str, plan: Plan) -> None:
    """Push all streams at the pace of the clock."""
    blocks = [block.tobytes() for block in bursts(20 * PATCH_SECONDS).reshape(-1, BLOCK)]
    faults = itertools.cycle(BROKEN.values())
    makers = [partial(_good, f"good{stream}") for stream in range(plan.good)]
    makers += [partial(next(faults) if plan.broken else _good, f"other{stream}") for stream in range(plan.others)]
    due = [(plan.due(stream, 0), stream, 0) for stream in range(len(makers))]
    heapq.heapify(due)
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.linger = 0
        socket.connect(endpoint)
        while due[0][0] < plan.begin + plan.seconds:
            when, stream, number = due[0]
            time.sleep(max(0.0, when - time.monotonic()))
            frames = makers[stream](number, blocks[number % len(blocks)])
            if frames:
                socket.send_multipart(frames)
            heapq.heapreplace(due, (plan.due(stream, number + 1), stream, number + 1))


def _good(stream: str, number: int, payload: bytes) -> Frames:
    return frames_of(stream, payload)


def measure(config: Config, plan: Plan) -> list[float]:
    """Return the latency of each patch of the good streams after a warm-up, in ms."""
    spawn = multiprocessing.get_context("spawn")
    found: list[float] = []
    with ServiceProcess(config, []) as service, Subscriber(service.endpoint, kinds=["service", "scores"]) as subscriber:
        while subscriber.receive(0.2) is None:
            service.check()
        plan = replace(plan, begin=time.monotonic() + 2.0)
        pusher = spawn.Process(target=push, args=(service.input_endpoint, plan), daemon=True)
        pusher.start()
        try:
            while time.monotonic() < plan.begin + plan.seconds:
                message = subscriber.receive(0.2)
                now = time.monotonic()
                if message is None or not message.header.get("stream", "").startswith("good"):
                    continue
                last = round(message.header["start"] * SAMPLE_RATE) + PATCH_SAMPLES - 1
                due = plan.due(int(message.header["stream"].removeprefix("good")), last // BLOCK)
                if due > plan.begin + WARM_UP_SECONDS:
                    found.append(1000 * (now - due))
        finally:
            pusher.terminate()
            pusher.join()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bundle", default="default", help="the bundle to run")
    parser.add_argument("--streams", type=int, default=1000, help="all streams together")
    parser.add_argument("--broken", type=int, default=100, help="how many of them are broken")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each round, its warm-up of 4 s included")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    config = Config(model=ModelSettings(bundle=options.bundle))
    good = options.streams - options.broken
    plans = {
        "alone": Plan(good, 0, False, 0.0, options.seconds),
        "broken": Plan(good, options.broken, True, 0.0, options.seconds),
        "good": Plan(good, options.broken, False, 0.0, options.seconds),
    }
    print(json.dumps(describe_machine()))
    print(f"latency in ms of {good} good streams, alone and beside {options.broken} broken or good ones: p50, p95, p99")
    rounds = []
    for number in range(1, options.rounds + 1):
        rows = {}
        for name, plan in plans.items():
            found = measure(config, plan)
            rows[name] = np.percentile(found, (50, 95, 99))
            print(f"round {number}, {name:6}: {joined(rows[name], 1)}, {len(found)} patches", flush=True)
        rounds.append(rows)
    for name, other in (("broken", "alone"), ("good", "alone"), ("broken", "good")):
        ratios = np.array([rows[name] / rows[other] for rows in rounds])
        print(f"{name:6} ÷ {other:5}: median {joined(np.median(ratios, axis=0), 2)}", end="")
        print(f"; least {joined(np.min(ratios, axis=0), 2)}; most {joined(np.max(ratios, axis=0), 2)}")


def joined(values: NDArray[np.float64], digits: int) -> str:
    """Return numbers as text."""
    return " ".join(f"{value:.{digits}f}" for value in values)


if __name__ == "__main__":
    main()
