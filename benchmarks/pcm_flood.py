"""How late scores are beside programs that push PCM as fast as it is taken.

    python -m benchmarks.pcm_flood                                   # this checkout
    python -m benchmarks.pcm_flood OTHER/.venv/bin/streamtag .venv/bin/streamtag

Each command is a `streamtag`, of this checkout or another; more than one take turns, so that whatever else the machine
does falls on all of them. The service scores some recordings and some streams that are pushed, all at the pace of the
clock. Beside them is nobody (`nobody`), or 20 streams that change their rate with each message of 20 ms, at the pace of
the clock (`rates`) or as fast as they are taken (`flood`), or 20 streams as fast as they are taken in the largest
messages (`bulk`). A delay is the time from the end of a patch, when its last sample was due or pushed, to its scores at
a subscriber; a recording's is longer by what its player reads at a time.
"""

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import zmq

from streamtag.audio import PATCH_HOP, PATCH_SAMPLES, SAMPLE_RATE
from streamtag.benchmark.load_generator import bursts
from streamtag.program import Program
from streamtag.wire import Subscriber

FLOODS: Final = ("nobody", "rates", "flood", "bulk")
FLOODING: Final = 20
STEADY: Final = 8
BLOCK: Final = 320
"""Samples of a message at the pace of the clock: 20 ms."""
BULK_BYTES: Final = 1 << 20
START_SECONDS: Final = 30.0
SETTLE_SECONDS: Final = 3.0


def header(stream: str, rate: int) -> bytes:
    """Return the header of a message with sound."""
    return json.dumps(
        {"v": 1, "stream": stream, "rate": rate, "channels": 1, "format": "s16le", "start": None}
    ).encode()


def free_endpoint() -> str:
    """Return an endpoint that nobody uses."""
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        return f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}"


def flood(endpoint: str, kind: str) -> None:
    """Push 20 streams until the process is ended."""
    rates = (SAMPLE_RATE,) if kind == "bulk" else (44100, 44101)
    sizes = [BULK_BYTES if kind == "bulk" else 2 * round(0.02 * rate) for rate in rates]
    with zmq.Context() as context:
        sockets = []
        for _ in range(FLOODING):
            socket = context.socket(zmq.PUSH)
            socket.set(zmq.SNDHWM, 16)
            socket.set(zmq.LINGER, 0)
            socket.connect(endpoint)
            sockets.append(socket)
        rounds = 0
        begin = time.monotonic()
        while True:
            if kind == "rates":
                time.sleep(max(0.0, begin + 0.02 * rounds - time.monotonic()))
            sent = 0
            for number, socket in enumerate(sockets):
                which = rounds % len(rates)
                try:
                    socket.send(header(f"flood{number}", rates[which]), zmq.SNDMORE | zmq.NOBLOCK)
                    socket.send(bytes(sizes[which]))
                    sent += 1
                except zmq.Again:
                    continue
            rounds += 1
            if not sent:
                time.sleep(0.001)


def push_steadily(endpoint: str, seconds: float, sent: Any) -> None:
    """Push streams at the pace of the clock; send back when each patch's last sample was pushed, in Unix seconds."""
    sound = bursts(10.0)
    blocks = [sound[at : at + BLOCK].tobytes() for at in range(0, len(sound) - BLOCK + 1, BLOCK)]
    ends: dict[str, list[float]] = defaultdict(list)
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.set(zmq.LINGER, 0)
        socket.connect(endpoint)
        begin = time.monotonic()
        for number in range(round(seconds * SAMPLE_RATE / BLOCK)):
            time.sleep(max(0.0, begin + number * BLOCK / SAMPLE_RATE - time.monotonic()))
            for index in range(STEADY):
                # Each begins a little later than the one before, so that patches are complete at different times.
                own = number - 6 * index
                if own < 0:
                    continue
                if own * BLOCK < PATCH_SAMPLES + PATCH_HOP * len(ends[f"pushed{index}"]) <= (own + 1) * BLOCK:
                    ends[f"pushed{index}"].append(time.time())
                socket.send(header(f"pushed{index}", SAMPLE_RATE), zmq.SNDMORE)
                socket.send(blocks[own % len(blocks)])
        sent.send(dict(ends))
        time.sleep(1.0)


@contextmanager
def service(command: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Run a service that plays recordings at the pace of the clock; give where it publishes and where it takes PCM."""
    endpoint, pcm = free_endpoint(), free_endpoint()
    recording = folder / "sound.wav"
    with wave.open(str(recording), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(bursts(10.0).tobytes())
    streams = "".join(
        f'[[stream]]\nid = "file{index}"\nsource = "file:{recording}"\nrealtime = true\nloop = true\n'
        for index in range(STEADY)
    )
    config = folder / "flood.toml"
    config.write_text(
        f'[service]\nendpoint = "{endpoint}"\ninput = "{pcm}"\n[model]\nruntime = "onnxruntime"\n{streams}'
    )
    with Program([command, "run", str(config)], stderr=subprocess.DEVNULL, folder=folder, stop_seconds=20.0):
        yield endpoint, pcm


def delays(command: str, kind: str, seconds: float) -> dict[str, list[float]]:
    """Return the delays of scores in seconds, of recordings and of pushed streams, beside a flood of this kind."""
    spawn = multiprocessing.get_context("spawn")
    heard: list[tuple[str, int, float, float]] = []
    with tempfile.TemporaryDirectory() as folder, service(command, Path(folder)) as (endpoint, pcm):
        here, there = spawn.Pipe()
        names = [f"{kind}{index}" for kind in ("file", "pushed") for index in range(STEADY)]
        with Subscriber(endpoint, names, ["scores"]) as subscriber:
            if subscriber.receive(START_SECONDS) is None:
                raise SystemExit(f"{command} run: nothing is heard of it")
            flooding = spawn.Process(target=flood, args=(pcm, kind), daemon=True)
            pusher = spawn.Process(target=push_steadily, args=(pcm, seconds, there), daemon=True)
            if kind != "nobody":
                flooding.start()
            pusher.start()
            begin = time.time()
            while not here.poll(0):
                message = subscriber.receive(0.2)
                if message is not None:
                    start = round(message.header["start"] * SAMPLE_RATE / PATCH_HOP)
                    heard.append((message.header["stream"], start, message.header["time"], time.time()))
            sent = here.recv()
            pusher.terminate()
            if kind != "nobody":
                flooding.terminate()
    found: dict[str, list[float]] = {"file": [], "pushed": []}
    for stream, patch, captured, came in heard:
        if came < begin + SETTLE_SECONDS:
            continue
        if stream.startswith("file"):
            found["file"].append(came - captured)
        elif patch < len(sent.get(stream, ())):
            found["pushed"].append(came - sent[stream][patch])
    return found


def milliseconds(values: Sequence[float], percentile: float) -> float:
    """Return a percentile of seconds in milliseconds; infinity where there is none."""
    return 1000 * float(np.percentile(values, percentile)) if values else float("inf")


def main() -> None:
    """Measure, and print a table of milliseconds: the median of the rounds, and their least and greatest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="*", default=[str(Path(sys.executable).with_name("streamtag"))])
    parser.add_argument("--seconds", type=float, default=15.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--floods", nargs="*", choices=FLOODS, default=FLOODS)
    options = parser.parse_args()
    rounds: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    for _ in range(options.rounds):
        for kind in options.floods:
            for command in options.commands:
                for sound, values in delays(str(Path(command).absolute()), kind, options.seconds).items():
                    rounds[kind, sound, command].append((milliseconds(values, 50), milliseconds(values, 99)))
    print("| beside | scores of | command | p50 ms | p99 ms, median (least to greatest) | p99 to the first command's |")
    print("|---|---|---|---|---|---|")
    for (kind, sound, command), measured in rounds.items():
        halves, tails = zip(*measured, strict=True)
        first = rounds[kind, sound, options.commands[0]]
        ratios = [tail / other for (_, tail), (_, other) in zip(measured, first, strict=True)]
        spread = f"{statistics.median(tails):.1f} ({min(tails):.1f} to {max(tails):.1f})"
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"| {kind} | {sound} | {command} | {statistics.median(halves):.1f} | {spread} | {ratio} |")


if __name__ == "__main__":
    main()
