"""One alert on its whole way: a recording, the service, and whoever is told, each in the process that it has in use."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundles import make_bundle
from tests.cli.commands import run, running
from tests.ports import free_port
from tests.real.servers import wait_until
from tests.sinks.broker import Broker, Ear
from tests.sinks.receiver import Receiver
from tests.sinks.test_notify import Server
from tests.sounds import tone, write

WAIT_SECONDS = 60.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


def test_an_alert_reaches_everybody_that_it_is_sent_to(broker: Broker, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "tiny")
    write(tmp_path / "tone.wav", tone(3.0, 2900))
    hook, phone, ear = Receiver(port := free_port()), Server(), Ear(broker.port)
    config = tmp_path / "live.toml"
    config.write_text(
        f'[service]\nname = "cellar"\nendpoint = "tcp://127.0.0.1:{free_port()}"\n[model]\nbundle = "{bundle}"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\nlabels = ["Hiss"]\n'
        f'[[webhook]]\nurl = "http://127.0.0.1:{port}/hook"\nlabels = ["Hiss"]\n'
        f'[[notify]]\nname = "phone"\nurls = [{json.dumps(phone.url)}]\n'
        '[history]\npath = "history.sqlite"\nclips = true\nclip_seconds = 1.0\n'
        '[[alert]]\nname = "Somebody whistles"\nwhen = "Whistle"\non = 0.6\nclip = true\n'
        '[[alert]]\nname = "quiet"\nwhen = "Hiss"\nsend = ["phone"]\n'
        '[[stream]]\nid = "porch"\nsource = "tone.wav"\nrealtime = true\nloop = true\n'
    )
    with running("run", config) as command:
        ear.wait("streamtag/cellar/alert/somebody_whistles")
        told = json.loads(ear.of("streamtag/cellar/alert/somebody_whistles")[0])
        assert (told["event_type"], told["alert"], told["stream"]) == ("fired", "Somebody whistles", "porch")
        ear.wait("homeassistant/device/streamtag_cellar/config")
        device = json.loads(ear.of("homeassistant/device/streamtag_cellar/config")[-1])
        entity = device["components"]["streamtag_cellar_alert_somebody_whistles"]
        assert entity["state_topic"] == "streamtag/cellar/alert/somebody_whistles"
        assert entity["event_types"] == ["fired"]

        def fired() -> list[dict[str, object]]:
            return [body for body, _ in hook.got if body["type"] == "org.streamtag.rule.fired"]

        wait_until(lambda: fired() and phone.got, WAIT_SECONDS, "the webhook and the message")
        (event,) = fired()
        assert (event["subject"], event["id"]) == ("Somebody whistles", told["id"])
        assert phone.got[0]["title"] == "Somebody whistles"
        assert phone.got[0]["message"].startswith("Whistle on porch (")
        assert len(phone.got[0]["attachments"]) == 1
        assert command.end() == 0
    ear.close()
    hook.close()
    phone.close()
    found = run("alerts", config, "--json").stdout.splitlines()
    assert [json.loads(line)["alert"] for line in found] == ["Somebody whistles"]
