"""The whole path on one core: a recording through a real service as fast as it goes, with a subscriber beside it."""

import tempfile
import time
import wave
from dataclasses import dataclass
from pathlib import Path

from streamtag.audio import SAMPLE_RATE
from streamtag.benchmark.load_generator import bursts
from streamtag.benchmark.machine import first_cores, held_to
from streamtag.benchmark.service import ServiceProcess
from streamtag.errors import StreamtagError
from streamtag.settings import Config
from streamtag.wire import Subscriber

__all__ = ["Throughput", "measure_throughput"]

_RECORDING_SECONDS = 60
_START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Throughput:
    """How fast one core goes through a recording."""

    patches: int
    milliseconds: float
    """Processor time a patch: reading, front end, network, scores, events, publishing, of all threads together."""
    times_real_time: float
    """Seconds of sound in a second, by the clock."""


def measure_throughput(config: Config, seconds: float) -> Throughput:
    """Play a 16 kHz WAV in a loop as fast as possible, on one core, for `seconds`.

    Raises:
        StreamtagError: the service does not start.
    """
    core, others = first_cores(1)
    with tempfile.TemporaryDirectory(prefix="streamtag-bench-") as folder:
        path = Path(folder, "bursts.wav")
        with wave.open(str(path), "wb") as recording:
            recording.setnchannels(1)
            recording.setsampwidth(2)
            recording.setframerate(SAMPLE_RATE)
            recording.writeframes(bursts(_RECORDING_SECONDS).tobytes())
        stream = {"id": "bench", "source": f"file:{path}", "loop": True}
        with (
            ServiceProcess(config, [stream], core) as service,
            held_to(others),
            Subscriber(service.endpoint, ["bench"]) as subscriber,
        ):
            first = _next_scores(service, subscriber)
            begin, cpu = time.perf_counter(), service.cpu_seconds()
            last = first
            while time.perf_counter() - begin < seconds:
                last = _next_scores(service, subscriber)
            took, cpu = time.perf_counter() - begin, service.cpu_seconds() - cpu
    patches = round((last - first) / 0.96)
    return Throughput(patches, 1000 * cpu / max(1, patches), (last - first) / took)


def _next_scores(service: ServiceProcess, subscriber: Subscriber) -> float:
    """Return the stream seconds at which the next patch ends."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        message = subscriber.receive(0.2)
        if message is None:
            service.check()
        elif message.header["kind"] == "scores":
            return float(message.header["end"])
    raise StreamtagError(f"the service scored nothing in {_START_SECONDS} s")
