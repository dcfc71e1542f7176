from pathlib import Path

from streamtag.config import load_config
from streamtag.sinks.alerts import AlertSink
from streamtag.sinks.relay import _end
from streamtag.sinks.sink import SinkMessage, SinkQueue
from tests.wire import samples


class Told:
    """A sink that is told of alerts."""

    name = "told"
    kinds = frozenset({"alert"})

    def __init__(self) -> None:
        self.messages: list[SinkMessage] = []

    def open(self) -> None: ...

    def take(self, message: SinkMessage) -> None:
        self.messages.append(message)

    def look(self) -> None: ...

    def close(self) -> None: ...


def test_an_alert_of_the_last_moment_is_still_told(tmp_path: Path) -> None:
    path = tmp_path / "live.toml"
    path.write_text('[history]\npath = "history.sqlite"\n[[alert]]\nname = "dog"\nwhen = "Dog"\n')
    told, alerts = Told(), AlertSink(load_config(path))
    queues = [SinkQueue(told), SinkQueue(alerts)]
    alerts.oversee(queues)
    for queue in queues:
        queue.start()
    queues[1].take(SinkMessage(samples.event().header))
    _end(queues)
    assert [message.header.kind for message in told.messages] == ["alert"]
