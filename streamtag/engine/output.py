"""What a thread that scores says of its streams: to the sinks within the service first, then to the publisher."""

import time
from collections.abc import Callable, Iterable

from streamtag.engine.messages import event_message, status_message
from streamtag.engine.stream import EngineStream
from streamtag.engine.times import ServiceTimes
from streamtag.events import Event
from streamtag.sinks.local import LocalSinks
from streamtag.sinks.sink import SinkMessage
from streamtag.wire.messages import Outgoing

__all__ = ["Output"]


class Output:
    """Hands on messages, for one thread.

    Attributes:
        is_ending: whether events are published without waiting until they are kept.
    """

    def __init__(self, publish: Callable[[list[Outgoing]], None], sinks: LocalSinks, times: ServiceTimes) -> None:
        """Hand on what is given from now on.

        Args:
            publish: where messages go.
            sinks: who is told before anything is published.
            times: how often a status comes, and how long an event waits to be kept.
        """
        self._times = times
        self.is_ending = False
        self._publish = publish
        self._sinks = sinks

    def publish(self, messages: list[Outgoing]) -> None:
        """Publish messages, if there are any."""
        if messages:
            self._publish(messages)

    def events_of(self, stream: EngineStream, events: Iterable[Event]) -> list[Outgoing]:
        """Return the messages of what began and ended in a stream, once the sinks have them."""
        messages = [event_message(stream, event) for event in events]
        self._give_sinks(stream, messages)
        return messages

    def publish_events(self, messages: list[Outgoing]) -> None:
        """Publish events once they are kept: what was told is not lost even if the process is killed."""
        if messages and not self.is_ending:
            self._sinks.settle(self._times.settle)
        self.publish(messages)

    def publish_status(self, streams: Iterable[EngineStream]) -> None:
        """Tell of the state of streams, and when that is due again."""
        messages = []
        for stream in streams:
            stream.status_due = time.monotonic() + self._times.repeat
            message = status_message(stream)
            self._give_sinks(stream, [message])
            messages.append(message)
        self.publish(messages)

    def _give_sinks(self, stream: EngineStream, messages: Iterable[Outgoing]) -> None:
        """Hand messages to the sinks; nothing of a visitor's microphone."""
        if not stream.is_private:
            self._sinks.take(SinkMessage(message.header) for message in messages)
