import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamtag.alerts.notice import AlertNotice
from streamtag.backoff import Backoff
from streamtag.config import load_config
from streamtag.errors import ConfigError
from streamtag.sinks import nats
from streamtag.sinks.nats import NatsSink, subject_of
from streamtag.sinks.sink import SinkMessage
from tests.ports import free_port
from tests.real.servers import wait_until
from tests.sinks.jetstream import NatsServer
from tests.sinks.samples import event

WAIT_SECONDS = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    users = (
        'authorization { users: [ { user: "cellar", password: "hunter2" }, '
        '{ user: "mute", password: "hunter2", permissions: { publish: { deny: "closed.>" } } } ] }\n'
        'no_auth_user: "cellar"'
    )
    server = NatsServer(tmp_path_factory.mktemp("nats"), users)
    server.start()
    yield server
    server.kill()


Begin = Callable[..., NatsSink]


@pytest.fixture
def begin(tmp_path: Path, server: NatsServer) -> Iterator[Begin]:
    sinks: list[NatsSink] = []

    def make(subject: str, more: str = "", url: str = server.url) -> NatsSink:
        file = tmp_path / "live.toml"
        file.write_text(
            f'[service]\nname = "cellar"\n[history]\npath = "history.sqlite"\n'
            f'[nats]\nservers = ["{url}"]\nsubject = "{subject}"\n{more}\n'
        )
        config = load_config(file)
        assert config.nats is not None
        sinks.append(NatsSink(config, config.nats, Backoff(0.05, 0.2), answer_seconds=1.0))
        sinks[-1].open()
        return sinks[-1]

    yield make
    for sink in sinks:
        sink.close()


def wait_for(sink: NatsSink, delivered: int) -> None:
    wait_until(lambda: sink.deliveries().sent >= delivered, WAIT_SECONDS, f"{delivered} deliveries")


def test_an_event_is_a_cloud_event_under_its_own_id(begin: Begin, server: NatsServer) -> None:
    server.make_stream("one", "one.>")
    wait_for_one = begin("one", 'user = "cellar"\npassword = "hunter2"')
    wait_for_one.take(event("on", 17))
    wait_for(wait_for_one, 1)
    ((subject, headers, body),) = server.held("one")
    assert subject == "one.cellar.event.porch"
    assert headers == {"Nats-Msg-Id": "1a2b3c4d-porch-17-on", "Content-Type": "application/cloudevents+json"}
    assert json.loads(body)["subject"] == "Dog"
    assert wait_for_one.deliveries().waiting == 0


def test_what_waits_survives_an_outage_and_a_restart_in_order(
    begin: Begin, server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.make_stream("two", "two.>")
    sink = begin("two", url=f"nats://127.0.0.1:{free_port()}")
    for number in range(100):
        sink.take(event("on", number))
        sink.take(event("off", number))
    wait_until(lambda: "cannot connect" in caplog.text, WAIT_SECONDS, "a word about it")
    sink.close()
    again = begin("two")
    again.take(event("off", 99))  # the service repeats its newest to whoever begins to listen
    wait_for(again, 200)
    wanted = [f"1a2b3c4d-porch-{number}-{state}" for number in range(100) for state in ("on", "off")]
    assert [headers["Nats-Msg-Id"] for _, headers, _ in server.held("two")] == wanted


def test_a_server_that_is_killed_and_comes_back_gets_each_event_once(
    tmp_path: Path, begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    server = NatsServer(tmp_path)
    server.start()
    try:
        server.make_stream("three", "three.>")
        sink = begin("three", url=server.url)
        sink.take(event("on", 0))
        wait_for(sink, 1)
        server.kill()
        for number in range(1, 30):
            sink.take(event("on", number))
        wait_until(lambda: "cannot connect" in caplog.text, WAIT_SECONDS, "a word about it")
        server.start()
        wait_for(sink, 30)
        ids = [headers["Nats-Msg-Id"] for _, headers, _ in server.held("three")]
        assert ids == [f"1a2b3c4d-porch-{number}-on" for number in range(30)]
    finally:
        server.kill()


def test_what_is_sent_again_is_kept_once(begin: Begin, server: NatsServer) -> None:
    server.make_stream("four", "four.>")
    sink = begin("four")
    sink.take(event("on", 1))
    wait_for(sink, 1)
    assert sink._outbox is not None
    ((_, _, body),) = server.held("four")
    sink._outbox.put([("jetstream", "1a2b3c4d-porch-1-on", body.decode())], {})  # as after a crash before it was noted
    sink.take(event("off", 1))
    wait_for(sink, 3)
    assert [headers["Nats-Msg-Id"] for _, headers, _ in server.held("four")] == [
        "1a2b3c4d-porch-1-on",
        "1a2b3c4d-porch-1-off",
    ]


def test_without_a_stream_it_says_what_is_missing_and_goes_on_once_there_is_one(
    begin: Begin, server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    sink = begin("five")
    sink.take(event("on", 1))
    wait_until(lambda: "no stream of JetStream takes these subjects" in caplog.text, WAIT_SECONDS, "a word about it")
    server.make_stream("five", "five.>")
    wait_for(sink, 1)
    assert len(server.held("five")) == 1


def test_what_a_stream_never_takes_holds_up_nothing(begin: Begin, server: NatsServer) -> None:
    server.make_stream("six", "six.>", max_msg_size=600)
    sink = begin("six")
    sink.take(event("on", 1, "Dog" * 300))
    sink.take(event("on", 2))
    wait_for(sink, 1)
    assert [headers["Nats-Msg-Id"] for _, headers, _ in server.held("six")] == ["1a2b3c4d-porch-2-on"]
    assert sink.deliveries().failed == 1


def test_labels_are_the_only_ones_told_and_alerts_where_they_are_sent(begin: Begin, server: NatsServer) -> None:
    server.make_stream("seven", "seven.>")
    sink = begin("seven", 'labels = ["Dog"]')
    sink.take(event("on", 1, "Cat"))
    sink.take(event("on", 2, "Dog"))
    for send in (("webhook",), ("nats",)):
        notice = AlertNotice(
            alert=send[0], stream="porch", what="Dog", value=0.9, time=1.7e9, onset_time=1.7e9, send=send
        )
        sink.take(SinkMessage(notice))
    wait_for(sink, 2)
    assert [(subject, headers["Nats-Msg-Id"]) for subject, headers, _ in server.held("seven")] == [
        ("seven.cellar.event.porch", "1a2b3c4d-porch-2-on"),
        ("seven.cellar.alert.porch", "nats-porch-1700000000000"),
    ]


@pytest.mark.parametrize(
    ("subject", "more", "said"),
    [
        ("one", 'user = "cellar"\npassword = "swordfish"', "authorization violation"),
        ("closed", 'user = "mute"\npassword = "hunter2"', "Permissions Violation"),
    ],
)
def test_a_server_that_refuses_is_told_of_without_secrets(
    begin: Begin, caplog: pytest.LogCaptureFixture, subject: str, more: str, said: str
) -> None:
    begin(subject, more).take(event("on", 1))
    wait_until(lambda: said.lower() in caplog.text.lower(), WAIT_SECONDS, "a word about it")
    assert "swordfish" not in caplog.text
    assert "hunter2" not in caplog.text


def test_dots_of_a_streams_name_separate_no_parts_of_a_subject() -> None:
    body = json.dumps({"type": "org.streamtag.stream.state", "data": {"stream": "yard.left"}})
    assert subject_of("site.streamtag", "cellar", body) == "site.streamtag.cellar.state.yard_left"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("servers = []", "must be a list of servers"),
        ('servers = ["nats://user:swordfish@127.0.0.1"]', "must be a list of servers"),
        ('servers = ["nats://127.0.0.1"]\nsubject = "a b"', "must be the beginning of a subject"),
        ('servers = ["nats://127.0.0.1"]\nuser = "cellar"', "belong together"),
        ('servers = ["nats://127.0.0.1"]\ntoken = "a"\ntoken_file = "b"', "cannot both be there"),
        ('servers = ["tls://127.0.0.1:4222"]\nca_file = "nowhere.pem"', "nowhere.pem: No such file"),
    ],
)
def test_settings_that_cannot_be_used_are_named(tmp_path: Path, lines: str, said: str) -> None:
    file = tmp_path / "live.toml"
    file.write_text(f"[nats]\n{lines}\n")
    with pytest.raises(ConfigError, match=said) as raised:
        nats.open_sink(load_config(file))
    assert "swordfish" not in str(raised.value)
