"""A relay in a thread of the test, and what it listens to."""

import threading
from collections.abc import Callable, Iterator

import pytest

from streamtag.settings import Config
from streamtag.sinks import relay
from streamtag.wire import Publisher


class Running:
    def __init__(self, config: Config, endpoint: str) -> None:
        self._stop = threading.Event()
        running = self

        class Stop:
            def __bool__(self) -> bool:
                return running._stop.is_set()

        self._thread = threading.Thread(target=relay, args=(config, endpoint, Stop()))
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


Run = Callable[[Config, Publisher], Running]


@pytest.fixture
def run() -> Iterator[Run]:
    started: list[Running] = []

    def start(config: Config, publisher: Publisher) -> Running:
        started.append(Running(config, publisher.endpoint))
        return started[-1]

    yield start
    for each in started:
        each.end()
