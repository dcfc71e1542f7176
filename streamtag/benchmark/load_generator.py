"""PCM of many streams: when each block is due, and a process of its own that pushes it then and does nothing else."""

import heapq
import math
import multiprocessing
import signal
import time
from array import array
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

import numpy as np
import zmq
from numpy.typing import NDArray

from streamtag.audio import PATCH_HOP, PATCH_SAMPLES, SAMPLE_RATE
from streamtag.errors import StreamtagError
from streamtag.keys import ClientKey
from streamtag.program import safe_path
from streamtag.wire.pcm_messages import encode_header

__all__ = [
    "LEAD_SAMPLES",
    "PATCH_SECONDS",
    "SETTLE_SECONDS",
    "LoadGenerator",
    "Plan",
    "bursts",
    "stream_name",
    "stream_number",
]

PATCH_SECONDS = PATCH_HOP / SAMPLE_RATE
LEAD_SAMPLES = PATCH_SAMPLES - PATCH_HOP
"""Samples of a stream's first message: after it every patch's last sample is a block's last."""

_BEGINNING_A_PATCH = 500  # streams that begin in one patch's time
SETTLE_SECONDS = 3.0
_START_SECONDS = 60.0
_SEND_SECONDS = 5.0
_LATEST_SECONDS = 2.0  # what a service that is behind has not taken so long after the end is not pushed any more
_QUEUE_MESSAGES = 256
_SOUND_SECONDS = 20 * PATCH_SECONDS
_SHORTEST_SLEEP = 0.0005  # what falls due meanwhile is pushed together: waking up costs more than a message
_SNDMORE = int(zmq.SNDMORE)
_PREFIX = "bench"


def bursts(seconds: float) -> NDArray[np.int16]:
    """Return noise that swells and fades, int16 at 16 kHz: speed does not depend on what is heard."""
    size = round(seconds * SAMPLE_RATE)
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 0.5 * np.arange(size) / SAMPLE_RATE)
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, size)
    return (noise * swell * np.iinfo(np.int16).max).astype(np.int16)


@dataclass(frozen=True, slots=True)
class Plan:
    """When each block of each stream is captured, and which patches count.

    Streams begin spread over a patch's time, as unrelated sources are, and 500 in each 0.96 s. Times are seconds of
    `time.monotonic`, which the processes of a machine share.
    """

    streams: int
    block_samples: int
    """At 16 kHz; divides a patch's hop."""
    begin: float
    count_from: float
    """Patches whose last sample is captured from here on count."""
    end: float
    """Nothing is captured from here on."""
    few: int
    """So many streams go on to the end."""
    crowd_end: float
    """The others stop here."""

    @classmethod
    def of(
        cls,
        streams: int,
        block_samples: int,
        begin: float,
        seconds: float,
        few: int | None = None,
        few_seconds: float = 0.0,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> "Plan":
        """Plan `seconds` that count, after all streams have begun and settled.

        Args:
            streams: how many.
            block_samples: samples of a block at 16 kHz.
            begin: when the first stream begins.
            seconds: how long all streams count.
            few: how many go on after that; all, when absent.
            few_seconds: how long those go on.
            settle_seconds: how long all streams go on before anything counts.
        """
        count_from = begin + PATCH_SECONDS * (_ramp(streams) + 1) + settle_seconds
        crowd_end = count_from + seconds
        return cls(streams, block_samples, begin, count_from, crowd_end + few_seconds, few or streams, crowd_end)

    def due(self, stream: int, block: int) -> float:
        """Return when a stream's block is captured; block 0 is its short first message."""
        first = self.begin + PATCH_SECONDS * (stream / self.streams + stream % _ramp(self.streams))
        return first + block * self.block_samples / SAMPLE_RATE

    def last(self, stream: int) -> float:
        """Return the time from which on nothing of a stream is captured."""
        return self.end if self.goes_on(stream) else self.crowd_end

    def goes_on(self, stream: int) -> bool:
        """Tell whether a stream is one of the few; they are spread over a patch's time as all are."""
        return (stream + 1) * self.few // self.streams > stream * self.few // self.streams

    def captured(self, stream: int, start: int) -> float:
        """Return when the block with a patch's last sample is captured; `start` is the index of its first."""
        return self.due(stream, math.ceil((start + PATCH_HOP) / self.block_samples))

    def counts(self, stream: int, captured: float) -> bool:
        """Tell whether a patch that is captured then counts."""
        return self.count_from <= captured < self.last(stream)

    def expected(self, stream: int) -> int:
        """Return how many of a stream's patches count."""
        most = math.ceil((self.last(stream) - self.begin) / PATCH_SECONDS)
        return sum(self.counts(stream, self.captured(stream, patch * PATCH_HOP)) for patch in range(most))


def _ramp(streams: int) -> int:
    """Return over how many patches' time so many streams begin."""
    return math.ceil(streams / _BEGINNING_A_PATCH)


def stream_name(stream: int) -> str:
    """Return what a stream is called."""
    return f"{_PREFIX}{stream}"


def stream_number(name: str) -> int:
    """Return the number of the stream that is called so."""
    return int(name.removeprefix(_PREFIX))


class LoadGenerator:
    """The process that pushes; it ends with the `with` block."""

    def __init__(self, endpoint: str, key: ClientKey | None = None) -> None:
        """Prepare a process that pushes to a service's PCM input, on the cores that this thread may use."""
        spawn = multiprocessing.get_context("spawn")
        self._here, self._there = spawn.Pipe()
        self._process = spawn.Process(target=_push_all, args=(endpoint, key, self._there), daemon=True)

    def __enter__(self) -> Self:
        with safe_path():
            self._process.start()
        self._there.close()  # so that the end of the process is noticed
        self._receive(_START_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.join()
        self._here.close()

    def begin(self, plan: Plan) -> None:
        """Push what is planned."""
        self._here.send(plan)

    def lateness(self) -> float | None:
        """Wait for the end and return how late blocks were pushed, in seconds: the 99th percentile of what counts.

        None: of what counts nothing was pushed at all.

        Raises:
            StreamtagError: the process ended.
        """
        late = self._receive(_LATEST_SECONDS + _SEND_SECONDS + 1)
        assert late is None or isinstance(late, float)
        return late

    def _receive(self, seconds: float) -> object:
        try:
            if self._here.poll(seconds):
                return self._here.recv()
        except (EOFError, ConnectionError):
            pass
        raise StreamtagError("the process that pushes sound ended, or does not answer")


def _push_all(endpoint: str, key: ClientKey | None, parent: "Connection[object, object]") -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent tells when it is over
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.set(zmq.SNDHWM, _QUEUE_MESSAGES)
        socket.set(zmq.SNDTIMEO, round(_SEND_SECONDS * 1000))
        socket.set(zmq.LINGER, 0)
        if key is not None:
            key.apply(socket)
        socket.connect(endpoint)
        parent.send(None)
        plan = parent.recv()
        assert isinstance(plan, Plan)
        late = _push(socket, plan)
        parent.send(float(np.percentile(late, 99)) if late else None)
        parent.poll(_START_SECONDS)  # what still waits leaves with the parent's word


def _push(socket: "zmq.Socket[bytes]", plan: Plan) -> "array[float]":
    headers = [encode_header(stream_name(stream), SAMPLE_RATE, 1, "s16le", None) for stream in range(plan.streams)]
    sound = bursts(_SOUND_SECONDS)
    blocks = [block.tobytes() for block in sound.reshape(-1, plan.block_samples)]
    lead = sound[:LEAD_SAMPLES].tobytes()
    due = [(plan.due(stream, 0), stream, 0) for stream in range(plan.streams)]
    heapq.heapify(due)
    late = array("d")
    while due:
        when, stream, number = due[0]
        now = time.monotonic()
        wait = when - now
        if now > plan.end + _LATEST_SECONDS:
            break
        if wait > 0:
            time.sleep(max(wait, _SHORTEST_SLEEP))
            continue
        try:
            socket.send(headers[stream], _SNDMORE)
        except zmq.Again:  # what is not pushed counts as dropped
            break
        socket.send(blocks[number % len(blocks)] if number else lead)
        if when >= plan.count_from:
            late.append(-wait)
        following = plan.due(stream, number + 1)
        if following < plan.last(stream):
            heapq.heapreplace(due, (following, stream, number + 1))
        else:
            heapq.heappop(due)
    return late
