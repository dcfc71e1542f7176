"""A relay in a thread of the test, and what it listens to."""

import threading
from collections.abc import Iterator, Sequence
from typing import Protocol

import pytest

from streamtag.settings import Config
from streamtag.sinks import relay
from streamtag.sinks.opening import open_sinks
from streamtag.sinks.sink import Sink
from streamtag.wire import Publisher


class Running:
    def __init__(self, config: Config, sinks: Sequence[Sink], endpoint: str) -> None:
        self._stop = threading.Event()
        running = self

        class Stop:
            def __bool__(self) -> bool:
                return running._stop.is_set()

        self._thread = threading.Thread(target=relay, args=(config, sinks, endpoint, Stop()))
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher("tcp://127.0.0.1:*")
    publisher.start()
    yield publisher
    publisher.stop()


class Run(Protocol):
    def __call__(self, config: Config, publisher: Publisher, *sinks: Sink) -> Running:
        """Start these sinks, or those that the configuration wants."""


@pytest.fixture
def run() -> Iterator[Run]:
    started: list[Running] = []

    def start(config: Config, publisher: Publisher, *sinks: Sink) -> Running:
        started.append(Running(config, sinks or open_sinks(config), publisher.endpoint))
        return started[-1]

    yield start
    for each in started:
        each.end()
