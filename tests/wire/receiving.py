"""What a subscriber hears next, where a test cannot go on without."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamtag.wire import Message, Subscriber


def received(subscriber: Subscriber, seconds: float = 30.0) -> Message:
    """Wait for the next message; none in time is a failure."""
    message = subscriber.receive(seconds)
    assert message is not None, f"nothing came for {seconds:g} s"
    return message


def patches(messages: Sequence[Message]) -> NDArray[np.float32]:
    """Return the scores of each message's patch, float32 [messages, labels]; every one has some."""
    rows = [message.patch for message in messages if message.patch is not None]
    assert len(rows) == len(messages)
    return np.array(rows)
