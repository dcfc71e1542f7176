"""Whether scoring notices the sinks: the same streams into a service without any and into one with all, in turns.

    python -m benchmarks.sinks --streams 200 --rounds 6

With all: a history, MQTT at a Mosquitto of its own, webhooks to a web server of its own, an alert, and metrics that are
scraped every second. Thresholds are low in both, so that there is something to tell of. It needs Debian's mosquitto.
"""

import argparse
import http.server
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import streamtag
from streamtag.audio import SAMPLE_RATE
from streamtag.benchmark.live_streams import LatencyMeter, wait_until_ready
from streamtag.benchmark.load_generator import LoadGenerator, Plan, bursts
from streamtag.benchmark.machine import describe_machine
from streamtag.benchmark.service import ServiceProcess
from streamtag.program import Program
from streamtag.settings import Config
from streamtag.wire import Subscriber

_HEAD_START_SECONDS = 0.5
_BLOCK_SAMPLES = 1920
_HISTORY = '[history]\npath = "history.sqlite"\n'
_EVENTS = "[events]\non = 0.3\noff = 0.2\nhold_seconds = 0.0\n"


@dataclass(frozen=True, slots=True)
class Round:
    """What one run measured, in milliseconds from a patch's last sample to its scores at a subscriber."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    patches: int
    missing: int
    cpu_percent: float
    """Of one core, by the service; sinks in a process of their own beside it count too."""
    told: int
    """Webhooks delivered."""


def free_port() -> int:
    """Return a port of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Receiver:
    """A web server that takes what it is sent, and scrapes metrics every second, in threads of this process."""

    def __init__(self, metrics_port: int) -> None:
        self.told = self.scraped = 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                receiver.told += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._ending = threading.Event()
        self._metrics = f"http://127.0.0.1:{metrics_port}/metrics"
        self._threads = [threading.Thread(target=self._server.serve_forever), threading.Thread(target=self._scrape)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End both threads."""
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join()

    def _scrape(self) -> None:
        while not self._ending.wait(1.0):
            with suppress(OSError), urllib.request.urlopen(self._metrics, timeout=5) as answer:
                answer.read()
                self.scraped += 1


@contextmanager
def broker(folder: Path) -> Iterator[int]:
    """Run a Mosquitto; give its port."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    port = free_port()
    path = folder / "mosquitto.conf"
    path.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    with Program([program, "-c", str(path)], stderr=subprocess.DEVNULL):
        yield port


def sink_sections(broker_port: int, metrics_port: int, receiver_port: int, labels: list[str]) -> str:
    """Return the sections of a configuration that ask for every sink in a process beside the service."""
    return "\n".join(
        (
            f'[mqtt]\nhost = "127.0.0.1"\nport = {broker_port}\nlabels = {json.dumps(labels)}',
            f'[metrics]\nlisten = "127.0.0.1:{metrics_port}"',
            f'[[webhook]]\nurl = "http://127.0.0.1:{receiver_port}/hook"\nlabels = {json.dumps(labels)}',
            f'[[alert]]\nname = "any"\nwhen = {json.dumps(labels[0])}\nsend = ["mqtt", "webhook"]',
            "cooldown_seconds = 1",
        )
    )


def loud_labels() -> list[str]:
    """Return the three labels that the model hears most in what is pushed."""
    tagger = streamtag.Tagger()
    sound = bursts(10.0).astype(np.float32) / np.float32(np.iinfo(np.int16).max)
    loudest = np.max([scores.patch for scores in tagger.stream([sound], rate=SAMPLE_RATE)], axis=0)
    return [tagger.labels[number] for number in np.argsort(-loudest)[:3]]


def measure(streams: int, seconds: float, labels: list[str], sinks: str) -> Round:
    """Push streams for some seconds and time their scores."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        more, receiver = _EVENTS, None
        if sinks in ("history", "all"):
            more += _HISTORY
        if sinks in ("beside", "all"):
            metrics_port = free_port()
            receiver = Receiver(metrics_port)
            stack.callback(receiver.close)
            port = stack.enter_context(broker(folder))
            more += sink_sections(port, metrics_port, receiver.port, labels)
        service = stack.enter_context(ServiceProcess(Config(), [], more=more))
        wait_until_ready(service)
        subscriber = stack.enter_context(Subscriber(service.endpoint, kinds=["scores", "service"]))
        generator = stack.enter_context(LoadGenerator(service.input_endpoint))
        plan = Plan.of(streams, _BLOCK_SAMPLES, time.monotonic() + _HEAD_START_SECONDS, seconds, None, 0.0)
        meter = LatencyMeter(subscriber, plan)
        generator.begin(plan)
        meter.until(plan.count_from)
        began, cpu = time.monotonic(), service.cpu_seconds()
        meter.until(plan.end)
        cpu = (service.cpu_seconds() - cpu) / (time.monotonic() - began)
        meter.rest()
        service.check()
        p50, p95, p99 = np.percentile(1000 * np.array(meter.latencies), (50, 95, 99)).tolist()
        missing = sum(meter.expected) - len(meter.latencies)
        return Round(p50, p95, p99, len(meter.latencies), missing, 100 * cpu, receiver.told if receiver else 0)


def main() -> None:
    """Measure in turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=6, help="of each of the two")
    parser.add_argument("--sinks", choices=("beside", "history", "all"), default="all", help="what is on when they are")
    options = parser.parse_args()
    print(json.dumps(describe_machine()), file=sys.stderr)
    labels = loud_labels()
    found: dict[bool, list[Round]] = {False: [], True: []}
    print("| sinks | p50 ms | p95 ms | p99 ms | missing | CPU % | webhooks |\n|---|---:|---:|---:|---:|---:|---:|")
    for number in range(2 * options.rounds):
        is_on = number % 4 in (1, 2)  # off, on, on, off: what drifts meets both alike
        each = measure(options.streams, options.seconds, labels, options.sinks if is_on else "none")
        found[is_on].append(each)
        times = f"{each.p50_ms:.1f} | {each.p95_ms:.1f} | {each.p99_ms:.1f}"
        print(
            f"| {'on' if is_on else 'off'} | {times} | {each.missing} | {each.cpu_percent:.0f} | {each.told} |",
            flush=True,
        )
    print("\n| of the rounds | p50 ms off, on | p95 ms off, on | p99 ms off, on |\n|---|---:|---:|---:|")
    for title, of_rounds in (("median", np.median), ("least", np.min)):
        cells = [
            ", ".join(f"{of_rounds([getattr(each, name) for each in found[key]]):.1f}" for key in (False, True))
            for name in ("p50_ms", "p95_ms", "p99_ms")
        ]
        print(f"| {title} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
