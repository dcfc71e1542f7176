from collections.abc import Callable, Iterator
from threading import Event

import pytest

from streamtag.wire import Publisher


def until(condition: Callable[[], object], seconds: float = 20.0) -> bool:
    pause = Event()
    return any(condition() or pause.wait(0.02) for _ in range(round(seconds / 0.02)))


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher("tcp://127.0.0.1:*")
    publisher.start()
    yield publisher
    publisher.stop()
