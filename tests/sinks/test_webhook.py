from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamtag.backoff import Backoff
from streamtag.config import load_config
from streamtag.sinks.webhook import WebhookSink
from tests.ports import free_port
from tests.real.servers import wait_until
from tests.sinks.receiver import Receiver
from tests.sinks.samples import event


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def receive(port: int) -> Iterator[Callable[[], Receiver]]:
    receivers: list[Receiver] = []

    def start() -> Receiver:
        receivers.append(Receiver(port))
        return receivers[-1]

    yield start
    for receiver in receivers:
        receiver.close()


@pytest.fixture
def begin(tmp_path: Path, port: int) -> Iterator[Callable[..., WebhookSink]]:
    sinks: list[WebhookSink] = []

    def make(more: str = "", path: str = "/hook") -> WebhookSink:
        file = tmp_path / "live.toml"
        file.write_text(
            f'[service]\nname = "cellar"\n[history]\npath = "history.sqlite"\n'
            f'[[webhook]]\nurl = "http://127.0.0.1:{port}{path}"\n{more}\n'
        )
        sinks.append(WebhookSink(load_config(file), Backoff(0.05, 0.2)))
        sinks[-1].open()
        return sinks[-1]

    yield make
    for sink in sinks:
        sink.close()


def test_an_event_is_delivered_as_a_cloud_event(
    begin: Callable[..., WebhookSink], receive: Callable[[], Receiver]
) -> None:
    receiver = receive()
    begin('token = "hunter2"').take(event("on", 17))
    wait_until(lambda: receiver.got, 60, "a delivery")
    body, headers = receiver.got[0]
    assert headers["Content-Type"] == "application/cloudevents+json"
    assert headers["Authorization"] == "Bearer hunter2"
    assert body.pop("data")["onset_time"] == 1_700_000_000.5
    assert body == {
        "specversion": "1.0",
        "id": "1a2b3c4d-porch-17-on",
        "source": "/streamtag/cellar/porch",
        "type": "org.streamtag.event.on",
        "subject": "Dog",
        "time": "2023-11-14T22:13:20.500Z",
        "datacontenttype": "application/json",
    }


def test_what_waits_survives_an_outage_and_a_restart_in_order(
    begin: Callable[..., WebhookSink], receive: Callable[[], Receiver]
) -> None:
    sink = begin()
    for number in range(5):
        sink.take(event("on", number))
        sink.take(event("off", number))
    sink.close()
    again = begin()
    again.take(event("off", 4))  # the service repeats its newest to whoever begins to listen
    again.take(event("on", 5))
    receiver = receive()
    wanted = [f"1a2b3c4d-porch-{number}-{state}" for number in range(5) for state in ("on", "off")]
    wait_until(lambda: len(receiver.got) >= 11, 60, "all deliveries")
    assert receiver.ids == [*wanted, "1a2b3c4d-porch-5-on"]


def test_a_service_that_began_anew_is_heard_though_it_counts_anew(
    begin: Callable[..., WebhookSink], receive: Callable[[], Receiver]
) -> None:
    receiver = receive()
    sink = begin()
    sink.take(event("on", 7))
    sink.take(event("on", 0, session="00000000"))
    wait_until(lambda: len(receiver.got) == 2, 60, "both deliveries")


@pytest.mark.parametrize("status", [500, 503, 408, 429])
def test_a_server_in_trouble_is_tried_again_with_the_same_id(
    begin: Callable[..., WebhookSink], receive: Callable[[], Receiver], status: int
) -> None:
    receiver = receive()
    receiver.answers = [(status, {})] * 3
    begin().take(event("on", 1))
    wait_until(lambda: receiver.got, 60, "a delivery")
    assert receiver.tries == ["1a2b3c4d-porch-1-on"] * 4


def test_retry_after_is_obeyed(begin: Callable[..., WebhookSink], receive: Callable[[], Receiver]) -> None:
    receiver = receive()
    receiver.answers = [(429, {"Retry-After": "3600"})]
    sink = begin()
    sink.take(event("on", 1))
    wait_until(lambda: receiver.tries, 60, "a try")
    sink.take(event("off", 1))
    with pytest.raises(AssertionError):
        wait_until(lambda: len(receiver.tries) > 1, 1.0, "another try")


def test_an_address_that_is_gone_is_left_alone(
    begin: Callable[..., WebhookSink], receive: Callable[[], Receiver], caplog: pytest.LogCaptureFixture
) -> None:
    receiver = receive()
    receiver.answers = [(410, {})]
    sink = begin()
    sink.take(event("on", 1))
    wait_until(lambda: "gone for good" in caplog.text, 60, "a word about it")
    sink.take(event("on", 2))
    with pytest.raises(AssertionError):
        wait_until(lambda: len(receiver.tries) > 1, 1.0, "another try")


@pytest.mark.parametrize("status", [302, 400, 404])
def test_what_a_server_refuses_holds_up_nothing_and_redirects_are_not_followed(
    begin: Callable[..., WebhookSink], receive: Callable[[], Receiver], port: int, status: int
) -> None:
    receiver = receive()
    receiver.answers = [(status, {"Location": f"http://127.0.0.1:{port}/other"})]
    sink = begin()
    sink.take(event("on", 1))
    sink.take(event("off", 1))
    wait_until(lambda: receiver.got, 60, "the next delivery")
    assert receiver.tries == ["1a2b3c4d-porch-1-on", "1a2b3c4d-porch-1-off"]


def test_labels_are_the_only_ones_told(begin: Callable[..., WebhookSink], receive: Callable[[], Receiver]) -> None:
    receiver = receive()
    sink = begin('labels = ["Dog"]')
    sink.take(event("on", 1, "Cat"))
    sink.take(event("on", 2, "Dog"))
    wait_until(lambda: receiver.got, 60, "a delivery")
    assert receiver.ids == ["1a2b3c4d-porch-2-on"]


def test_no_part_of_an_address_that_may_be_secret_is_in_the_log(
    begin: Callable[..., WebhookSink], receive: Callable[[], Receiver], caplog: pytest.LogCaptureFixture
) -> None:
    receiver = receive()
    receiver.answers = [(404, {})]
    begin('token = "hunter2"', path="/hook?token=swordfish").take(event("on", 1))
    wait_until(lambda: "404" in caplog.text, 60, "a complaint")
    assert "swordfish" not in caplog.text
    assert "hunter2" not in caplog.text


def test_a_queue_that_cannot_be_written_is_tried_again(
    begin: Callable[..., WebhookSink], receive: Callable[[], Receiver], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = receive()
    (tmp_path / "history-webhooks.sqlite").mkdir()
    sink = begin()
    sink.take(event("on", 1))
    assert "cannot be written for now" in caplog.text
    (tmp_path / "history-webhooks.sqlite").rmdir()
    sink.look()
    wait_until(lambda: receiver.got, 60, "a delivery")


def test_two_relays_do_not_deliver_the_same_twice(
    begin: Callable[..., WebhookSink], receive: Callable[[], Receiver], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = begin(), begin()
    assert "another service" in caplog.text
    for sink in (first, second):
        sink.take(event("on", 1))
    receiver = receive()
    wait_until(lambda: receiver.got, 60, "a delivery")
    first.close()
    second.look()
    second.take(event("off", 1))
    wait_until(lambda: len(receiver.got) == 2, 60, "the next delivery")
    assert receiver.ids == ["1a2b3c4d-porch-1-on", "1a2b3c4d-porch-1-off"]
