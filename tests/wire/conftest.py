from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from streamtag.wire import PcmInput, PcmPuller, Publisher, Subscriber

ANY_PORT = "tcp://127.0.0.1:*"


@pytest.fixture
def pcm() -> SimpleQueue[PcmInput]:
    """What the PCM input took in."""
    return SimpleQueue()


@pytest.fixture
def puller(pcm: SimpleQueue[PcmInput]) -> Iterator[PcmPuller]:
    puller = PcmPuller(ANY_PORT, pcm.put)
    puller.start()
    yield puller
    puller.stop()


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher(ANY_PORT)
    publisher.start()
    yield publisher
    publisher.stop()


@pytest.fixture
def subscribe(publisher: Publisher) -> Iterator[Callable[..., Subscriber]]:
    """Make subscribers of the publisher that close with the test."""
    subscribers: list[Subscriber] = []

    def make(**wishes: Any) -> Subscriber:
        subscribers.append(Subscriber(publisher.endpoint, **wishes))
        return subscribers[-1]

    yield make
    for subscriber in subscribers:
        subscriber.close()
