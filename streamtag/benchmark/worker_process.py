"""Work in a process of its own, held to some cores, whose messages this process takes and throws away."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import zmq

from streamtag.benchmark.machine import held_to
from streamtag.benchmark.service import free_endpoint
from streamtag.errors import StreamtagError
from streamtag.program import safe_path
from streamtag.wire import KINDS, Publisher

__all__ = ["in_a_process", "wait_for_subscriber"]

Result = TypeVar("Result")

_LOOK_MS = 50


def in_a_process(work: Callable[..., Result], *arguments: Any, cores: set[int] | None = None) -> Result:
    """Return `work(endpoint, *arguments)` as a new process does it; it publishes at the endpoint.

    Args:
        work: a function of a module.
        arguments: that can be pickled.
        cores: what the process is held to, while this one keeps to the others; all of both, when absent.

    Raises:
        StreamtagError: the work raised it, or the process ended.
    """
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    endpoint = free_endpoint()
    process = spawn.Process(target=_run, args=(there, cores, work, endpoint, arguments), daemon=True)
    others = os.sched_getaffinity(0) - (cores or set())
    with held_to(others), zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.set(zmq.LINGER, 0)
        for kind in (*KINDS, "levels"):
            subscriber.subscribe(f"{kind}/")
        subscriber.connect(endpoint)
        with safe_path():
            process.start()
        there.close()
        try:
            while not here.poll():
                if subscriber.poll(_LOOK_MS):
                    _drain(subscriber)
            outcome = here.recv()
        except EOFError:
            raise StreamtagError("the process that measures ended") from None
        finally:
            process.terminate()
            process.join()
    if isinstance(outcome, StreamtagError):
        raise outcome
    result: Result = outcome
    return result


def wait_for_subscriber(publisher: Publisher) -> None:
    """Wait, in that process, until this one takes its messages."""
    while not publisher.is_watched("any"):  # by its subscription to levels, which nobody sends there
        time.sleep(0.01)


def _drain(subscriber: "zmq.Socket[bytes]") -> None:
    try:
        while True:
            subscriber.recv(zmq.NOBLOCK, copy=False)
    except zmq.Again:
        return


def _run(
    parent: "Connection[Any, Any]",
    cores: set[int] | None,
    work: Callable[..., object],
    endpoint: str,
    arguments: tuple[Any, ...],
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent tells when it is over
    if cores is not None:
        os.sched_setaffinity(0, cores)
    try:
        parent.send(work(endpoint, *arguments))
    except StreamtagError as error:
        parent.send(error)
