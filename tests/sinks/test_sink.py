import threading
from collections.abc import Callable

import pytest

from streamtag.alerts.notice import AlertNotice
from streamtag.settings import Config, WebhookSettings
from streamtag.sink_kinds import SinkKind
from streamtag.sinks import opening
from streamtag.sinks.local import LocalSinks
from streamtag.sinks.opening import open_local, open_sinks
from streamtag.sinks.sink import SinkMessage, SinkQueue
from streamtag.wire import Outgoing, ServiceHeader
from streamtag.wire.messages import Header
from tests.history.conftest import patch
from tests.real.servers import wait_until
from tests.wire import samples


class Slow:
    """A sink that hangs until it is let go."""

    name = "slow"
    kinds = frozenset({"event", "scores"})

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun = threading.Event()
        self.got: list[tuple[str, int]] = []
        self.closed = False

    def open(self) -> None:
        pass

    def take(self, message: SinkMessage) -> None:
        self.begun.set()
        self.go.wait(60)
        assert not isinstance(message.header, AlertNotice)
        self.got.append((message.header.kind, message.header.seq))

    def look(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


MADE: dict[str, Callable[[], Outgoing]] = {"event": samples.event, "scores": samples.scores, "status": samples.status}


def message(kind: str, seq: int) -> SinkMessage:
    header: Header = MADE[kind]().header
    header.seq = seq
    return SinkMessage(header)


def test_a_sink_that_hangs_loses_scores_first_and_then_the_oldest_and_counts_them() -> None:
    sink = Slow()
    queue = SinkQueue(sink, most=2)
    queue.start()
    queue.take(message("event", 0))
    assert sink.begun.wait(60)
    for seq in (1, 2):
        queue.take(message("event", seq))
    queue.take(message("scores", 3))
    queue.take(message("status", 4))  # it does not take these
    queue.take(message("event", 5))
    assert queue.dropped == 2
    sink.go.set()
    queue.ask_to_end()
    wait_until(lambda: sink.closed, 60, "the sink's end")
    assert sink.got == [("event", 0), ("event", 2), ("event", 5)]


def test_within_a_service_a_sink_gets_what_it_takes_and_nobody_waits_for_it() -> None:
    sink = Slow()
    local = LocalSinks([SinkQueue(sink)])
    assert local.takes("scores")
    assert not local.takes("status")
    local.start()
    local.hear("porch", patch(0))
    local.take([message("event", 0), message("status", 1), message("scores", 2)])
    local.settle(30)
    header = samples.service().header
    assert isinstance(header, ServiceHeader)
    local.describe(header)
    assert (header.restarts, header.history) == ({}, None)
    sink.go.set()
    local.stop(30)
    assert (sink.got, sink.closed) == ([("event", 0), ("scores", 2)], True)


def test_any_sink_may_live_in_the_service_by_its_line_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(webhooks=(WebhookSettings(url="http://127.0.0.1:9/hook"),))
    assert [type(sink).__name__ for sink in open_sinks(config)] == ["WebhookSink"]
    monkeypatch.setattr(opening, "SINKS", [SinkKind("webhook", "webhook", "webhooks", is_list=True, is_local=True)])
    assert open_sinks(config) == []
    (local,) = open_local(config)
    assert (type(local), local.name) == (SinkQueue, "webhook")
