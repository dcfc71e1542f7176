"""SIGINT and SIGTERM as a flag."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from streamtag.cli.stopping import Stop
from streamtag.program import finish, python

# Signals by the thousand, one while another is handled, to a program that does nothing but wait.
PROGRAM = """
import os, signal, threading
from streamtag.cli.stopping import Stop

stop = Stop()
sending = threading.Thread(target=lambda: [os.kill(os.getpid(), signal.SIGTERM) for _ in range(50_000)])
sending.start()
while sending.is_alive():
    stop.wait(1.0)
print(bool(stop))
"""


@pytest.fixture(autouse=True)
def _own_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_wakes_whoever_waits(number: signal.Signals) -> None:
    stop = Stop()
    assert not stop
    threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
    begin = time.monotonic()
    stop.wait(60.0)
    assert stop
    stop.wait(60.0)
    assert time.monotonic() - begin < 50


def test_the_clock_counts_too() -> None:
    stop = Stop(0.1)
    stop.wait(0.01)
    stop.wait(60.0)
    assert stop


def test_signals_that_come_while_others_are_handled_hold_nothing_up() -> None:
    done = finish(python("-c", PROGRAM), 100.0)
    assert done.output.split() == [b"True"]
