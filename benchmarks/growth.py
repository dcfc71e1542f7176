"""How cost grows with the number of streams, and what memory a stream takes."""

from collections.abc import Callable
from dataclasses import dataclass

from streamtag.audio import PATCH_SAMPLES, SAMPLE_RATE
from streamtag.benchmark.live_streams import LiveStreams, measure_live, wait_until_ready
from streamtag.benchmark.load_generator import bursts
from streamtag.benchmark.service import ServiceProcess
from streamtag.errors import StreamtagError
from streamtag.settings import Config
from streamtag.wire import PcmPusher, Subscriber

__all__ = ["STREAMS", "Idle", "measure_growth", "measure_idle"]

STREAMS = (1, 10, 100, 500, 1000, 2000, 5000)
_IDLE_STREAMS = 1000
_IDLE_SECONDS = 60.0
_MORE_SAMPLES = 15_000  # a patch that is almost full waits for the rest of its sound


@dataclass(frozen=True, slots=True)
class Idle:
    """The memory of streams that were heard and are quiet now."""

    streams: int
    kilobytes_a_stream: float
    """Resident, of the service: what each further stream adds."""


def measure_growth(config: Config, seconds: float, progress: Callable[[int], None]) -> list[LiveStreams]:
    """Measure 1 to 5,000 live streams, each number for so many seconds; `progress` is told of each before it begins.

    A machine that cannot carry a number shows it by what it drops.

    Raises:
        StreamtagError: the service does not start, or ends.
    """
    rows = []
    for streams in STREAMS:
        progress(streams)
        rows.append(measure_live(config, streams, seconds))
    return rows


def measure_idle(config: Config, streams: int = _IDLE_STREAMS) -> Idle:
    """Have so many streams push one patch, and then as many others, and compare the memory.

    Raises:
        StreamtagError: the service does not start, or does not score them in a minute.
    """
    with ServiceProcess(config, []) as service:
        wait_until_ready(service)
        with (
            Subscriber(service.endpoint, kinds=["scores"]) as subscriber,
            PcmPusher(service.input_endpoint) as pusher,
        ):
            memory = []
            for name in ("first", "second"):
                _push_once(pusher, subscriber, name, streams)
                memory.append(service.memory_megabytes())
    return Idle(streams, 1000 * (memory[1] - memory[0]) / streams)


def _push_once(pusher: PcmPusher, subscriber: Subscriber, name: str, streams: int) -> None:
    sound = bursts((PATCH_SAMPLES + _MORE_SAMPLES) / SAMPLE_RATE)
    for stream in range(streams):
        pusher.push(f"{name}{stream}", sound, SAMPLE_RATE)
    waiting = {f"{name}{stream}" for stream in range(streams)}
    while waiting:
        message = subscriber.receive(_IDLE_SECONDS)
        if message is None:
            raise StreamtagError(f"{len(waiting)} of {streams} streams were not scored in {_IDLE_SECONDS:g} s")
        waiting.discard(message.header["stream"])
