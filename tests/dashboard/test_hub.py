import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from streamtag.dashboard.hub import Hub
from streamtag.keys import ServerKeys, add_client, read_client_key, write_server
from streamtag.wire import (
    EventHeader,
    LevelsHeader,
    Message,
    Outgoing,
    Publisher,
    ScoresHeader,
    ServiceHeader,
    levels_payload,
    scores_payload,
)
from streamtag.wire.messages import ModelInfo
from tests.dashboard.conftest import until

LABELS = ["Dog", "Cat", "Rain"]


def service(*streams: str, private: Sequence[str] = (), states: dict[str, int] | None = None) -> Outgoing:
    return Outgoing(
        ServiceHeader(
            version="1", model="tiny", runtime="x", labels=LABELS, labels_hash="h", streams=list(streams), patches=0,
            dropped_patches=0, sustainable_streams=None, uptime=0.0, input="tcp://127.0.0.1:1",
            private=list(private), states=states or {},
        )
    )  # fmt: skip


def scores(stream: str, index: int, time: float) -> Outgoing:
    header = ScoresHeader(
        time=time, stream=stream, start=0.96 * index, end=0.96 * (index + 1), model="tiny", labels_hash="h", n=3,
        rolling=5, rms_dbfs=-20.0, peak_dbfs=-9.0, lost_samples=0, top=[],
    )  # fmt: skip
    return Outgoing(header, scores_payload(np.array([[0.0, 0.5, 1.0], [0.1, 0.2, 0.3]], np.float32)))


def levels(stream: str) -> Outgoing:
    header = LevelsHeader(stream=stream, start=0.0, end=0.12, rms_dbfs=-20.0, peak_dbfs=-9.0, frames=12, bands=64)
    return Outgoing(header, levels_payload(np.zeros((12, 64), np.float32)))


class Page:
    """A viewer that keeps what it is told."""

    def __init__(self) -> None:
        self.stream = ""
        self.told: list[str | bytes] = []

    def offer(self, message: str | bytes) -> None:
        self.told.append(message)

    def kinds(self) -> list[str]:
        return [json.loads(message)["kind"] if isinstance(message, str) else str(message[0]) for message in self.told]

    def last(self, kind: str) -> dict[str, object]:
        found: list[dict[str, object]] = [json.loads(message) for message in self.told if isinstance(message, str)]
        return [message for message in found if message["kind"] == kind][-1]


@pytest.fixture
def silent_seconds() -> float:
    return 7.0


@pytest.fixture
def hub(publisher: Publisher, silent_seconds: float) -> Iterator[Hub]:
    hub = Hub(publisher.endpoint, silent_seconds=silent_seconds)
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture
def page(hub: Hub) -> Page:
    page = Page()
    hub.add(page)
    return page


def test_a_page_is_told_when_the_service_comes_and_what_it_listens_to(
    publisher: Publisher, hub: Hub, page: Page
) -> None:
    assert page.last("service")["state"] == "waiting"
    publisher.publish([service("porch", "browser-abc", "browser-ours", private=["browser-abc"])])
    assert until(lambda: page.last("service")["state"] == "connected")
    # A visitor's microphone is shown to nobody else; a stream that the configuration names so is none.
    assert page.last("service")["streams"] == ["porch", "browser-ours"]
    assert page.last("service")["takes_sound"] is True
    assert hub.labels() == LABELS


def test_each_stream_is_shown_with_the_labels_of_its_own_model(publisher: Publisher, hub: Hub, page: Page) -> None:
    told = service("porch", "yard")
    assert isinstance(told.header, ServiceHeader)
    told.header.models = {
        "default": ModelInfo("tiny", "x", LABELS, "h"),
        "birds": ModelInfo("birds", "x", ["Wren", "Robin"], "b"),
    }
    publisher.publish([told])
    assert until(lambda: hub.labels() == LABELS)
    other = scores("yard", 0, 100.0)
    assert isinstance(other.header, ScoresHeader)
    other.header.n, other.header.labels_hash, other.header.model = 2, "b", "birds"
    publisher.publish([scores("porch", 0, 100.0), Outgoing(other.header, other.payload[:16])])
    assert until(lambda: hub.labels("yard") == ["Wren", "Robin"])
    assert hub.labels("porch") == LABELS
    hub.watch(page, "yard")
    assert page.last("labels")["labels"] == ["Wren", "Robin"]
    assert hub.scores("yard", 60.0)[2].shape == (1, 2)
    assert until(lambda: hub.scores("porch", 60.0)[2].shape == (1, 3))


def test_a_page_is_told_when_streams_change_their_states(publisher: Publisher, hub: Hub, page: Page) -> None:
    for states in ({"live": 2}, {"live": 1, "reconnecting": 1}):
        publisher.publish([service("porch", "yard", states=states)])
        assert until(lambda states=states: page.last("service").get("states") == states)  # type: ignore[misc]


@pytest.mark.parametrize("silent_seconds", [0.3])
def test_a_service_that_falls_silent_is_lost(publisher: Publisher, hub: Hub, page: Page) -> None:
    publisher.publish([service("porch")])
    assert until(lambda: page.last("service")["state"] == "lost")
    assert hub.service is None
    page.told.clear()
    publisher.publish([service("porch")])
    assert until(lambda: page.told)
    assert json.loads(page.told[0])["state"] == "connected"


def test_levels_come_only_while_a_page_watches(publisher: Publisher, hub: Hub, page: Page) -> None:
    publisher.publish([service("porch")])
    assert until(hub.streams)
    assert not publisher.is_watched("porch")
    hub.watch(page, "porch")
    assert until(lambda: publisher.is_watched("porch"))
    publisher.publish([levels("porch")])
    assert until(lambda: "1" in page.kinds())
    hub.remove(page)
    assert until(lambda: not publisher.is_watched("porch"))


def test_two_pages_may_watch_and_one_may_leave(publisher: Publisher, hub: Hub, page: Page) -> None:
    other = Page()
    hub.add(other)
    publisher.publish([service("porch")])
    assert until(hub.streams)
    hub.watch(page, "porch")
    hub.watch(other, "porch")
    hub.remove(other)
    assert until(lambda: publisher.is_watched("porch"))
    publisher.publish([levels("porch")])
    assert until(lambda: "1" in page.kinds())
    assert "1" not in other.kinds()


def test_who_comes_later_sees_the_last_minutes(publisher: Publisher, hub: Hub, page: Page) -> None:
    publisher.publish([service("porch")])
    assert until(hub.streams)
    event = EventHeader(stream="porch", id=1, label="Dog", index=0, state="on", onset=1.0, offset=None, peak=0.9)
    publisher.publish([scores("porch", 0, 100.0), scores("porch", 1, 101.0), Outgoing(event)])
    assert until(lambda: len(hub.scores("porch", 3600.0)[0]) >= 1)
    hub.watch(page, "porch")
    assert until(lambda: "3" in page.kinds())
    backlog = next(message for message in page.told if isinstance(message, bytes) and message[0] == 3)
    count = struct.unpack_from("<I", backlog, 1)[0]
    assert list(backlog[5 + 8 * count :]) == [0, 128, 255] * count


def test_a_page_that_watches_another_stream_hears_no_more_of_the_first(
    publisher: Publisher, hub: Hub, page: Page
) -> None:
    publisher.publish([service("porch", "yard")])
    assert until(hub.streams)
    hub.watch(page, "porch")
    hub.watch(page, "yard")
    assert until(lambda: publisher.is_watched("yard") and not publisher.is_watched("porch"))
    assert page.last("stream")["stream"] == "yard"


def test_a_hub_that_fails_is_made_anew_and_tells_what_comes_next(
    hub: Hub, page: Page, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publisher.publish([service("porch")])
    until(lambda: page.last("service")["state"] == "connected")
    take = Hub._handle
    rest = ["this one"]

    def take_or_break(hub: Hub, message: Message) -> None:
        if rest:
            raise ZeroDivisionError(rest.pop())
        take(hub, message)

    monkeypatch.setattr(Hub, "_handle", take_or_break)
    publisher.publish([service("yard")])
    until(lambda: not rest)
    publisher.publish([service("shed")])
    until(lambda: page.last("service")["streams"] == ["shed"])
    assert "the thread hub failed and is made anew" in caplog.text


def test_a_hub_with_a_key_sees_a_service_that_asks_for_one(tmp_path: Path) -> None:
    write_server(tmp_path / "keys")
    publisher = Publisher("tcp://127.0.0.1:*", keys=ServerKeys(tmp_path / "keys"))
    publisher.start()
    publisher.publish([service("porch")])
    hub = Hub(publisher.endpoint, read_client_key(add_client(tmp_path / "keys", "page")))
    hub.start()
    try:
        assert until(lambda: hub.streams() == ["porch"])
    finally:
        hub.stop()
        publisher.stop()
