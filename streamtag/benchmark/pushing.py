"""PCM of many streams pushed at the pace of the clock, by a process of its own that does nothing else."""

import heapq
import multiprocessing
import signal
import time
from array import array
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

import numpy as np
import zmq

from streamtag.audio import SAMPLE_RATE
from streamtag.benchmark.plan import LEAD_SAMPLES, PATCH_SECONDS, Plan
from streamtag.benchmark.sound import bursts
from streamtag.child import safe_path
from streamtag.errors import StreamtagError
from streamtag.wire.pcm import encode_header

__all__ = ["Pushing", "stream_name", "stream_number"]

_START_SECONDS = 60.0
_SEND_SECONDS = 5.0
_LATEST_SECONDS = 2.0  # what a service that is behind has not taken so long after the end is not pushed any more
_QUEUE_MESSAGES = 256
_SOUND_SECONDS = 20 * PATCH_SECONDS
_SHORTEST_SLEEP = 0.0005  # what falls due meanwhile is pushed together: waking up costs more than a message
_SNDMORE = int(zmq.SNDMORE)
_PREFIX = "bench"


def stream_name(stream: int) -> str:
    """Return what a stream is called."""
    return f"{_PREFIX}{stream}"


def stream_number(name: str) -> int:
    """Return the number of the stream that is called so."""
    return int(name.removeprefix(_PREFIX))


class Pushing:
    """The process that pushes; it ends with the `with` block."""

    def __init__(self, endpoint: str) -> None:
        """Prepare a process that pushes to a service's PCM input, on the cores that this thread may use."""
        spawn = multiprocessing.get_context("spawn")
        self._here, self._there = spawn.Pipe()
        self._process = spawn.Process(target=_push_all, args=(endpoint, self._there), daemon=True)

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


def _push_all(endpoint: str, parent: "Connection[object, object]") -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent tells when it is over
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.set(zmq.SNDHWM, _QUEUE_MESSAGES)
        socket.set(zmq.SNDTIMEO, round(_SEND_SECONDS * 1000))
        socket.set(zmq.LINGER, 0)
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
