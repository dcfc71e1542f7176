from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from streamtag.wire import PcmInput, Publisher, Subscriber

ANY_PORT = "tcp://127.0.0.1:*"


@pytest.fixture
def pcm() -> SimpleQueue[PcmInput]:
    """What the publisher's PCM input took in."""
    return SimpleQueue()


@pytest.fixture
def publisher(pcm: SimpleQueue[PcmInput]) -> Iterator[Publisher]:
    publisher = Publisher(ANY_PORT, ANY_PORT, pcm.put)
    publisher.start()
    yield publisher
    publisher.stop()


@pytest.fixture
def subscribe(publisher: Publisher) -> Iterator[Callable[..., Subscriber]]:
    """Make subscribers of the publisher that close with the test."""
    subscribers: list[Subscriber] = []

    def make(**wishes: object) -> Subscriber:
        subscribers.append(Subscriber(publisher.endpoint, **wishes))
        return subscribers[-1]

    yield make
    for subscriber in subscribers:
        subscriber.close()
