"""What a subscriber hears next, where a test cannot go on without."""

from streamtag.wire import Message, Subscriber


def received(subscriber: Subscriber, seconds: float = 30.0) -> Message:
    """Wait for the next message; none in time is a failure."""
    message = subscriber.receive(seconds)
    assert message is not None, f"nothing came for {seconds:g} s"
    return message
