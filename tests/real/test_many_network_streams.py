"""Many listeners of a real server in one service: few processes receive them all."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from streamtag.audio import Block
from streamtag.engine import Service
from streamtag.intake import Intake
from streamtag.settings import Stream
from streamtag.sources import receiver_pool
from streamtag.wire import Subscriber
from tests.bundles import make_bundle
from tests.engine.listening import Listener, config
from tests.real.conftest import Station
from tests.real.test_receiver_pool import processes

STREAMS = 12


@pytest.fixture
def service(icecast: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(receiver_pool, "_MOST_SOURCES", 5)
    streams = tuple(Stream(id=f"radio{number}", source=icecast.uri) for number in range(STREAMS))
    service = Service(config(make_bundle(tmp_path / "tiny"), streams=streams))
    service.start()
    yield service
    service.stop()
    assert processes() == []


def test_many_network_streams_share_few_processes_and_all_come_back(service: Service, icecast: Station) -> None:
    streams = [f"radio{number}" for number in range(STREAMS)]
    with closing(Listener(Subscriber(service.endpoint))) as listener:
        for stream in streams:
            listener.patches(stream, 1)
        assert len(processes()) == 3
        icecast.program.kill()
        listener.states_of("reconnecting", *streams)
        icecast.program.start()
        listener.until(
            lambda _: all(listener.states(stream)[-3:] == ["live", "reconnecting", "live"] for stream in streams)
        )
        heard = {stream: len(listener.scores(stream)) for stream in streams}
        for stream in streams:
            listener.patches(stream, heard[stream] + 1)
            assert listener.scores(stream)[-1].header["lost_samples"] > 0


def test_an_error_that_nobody_foresaw_costs_one_stream_its_block_and_its_neighbours_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_block = Intake.add_block

    def add_or_break(intake: Intake, block: Block) -> None:
        if intake.stream == "radio3":
            raise ZeroDivisionError("of a library")
        add_block(intake, block)

    with closing(Listener(Subscriber(service.endpoint))) as listener:
        listener.patches("radio3", 1)
        monkeypatch.setattr(Intake, "add_block", add_or_break)
        told = listener.state("radio3", "reconnecting").header
        assert told["reason"] == "internal error: ZeroDivisionError: of a library"
        for stream in ("radio0", "radio4"):
            listener.patches(stream, len(listener.scores(stream)) + 2)
        assert listener.states("radio3")[-1] == "reconnecting"
        monkeypatch.undo()
        listener.patches("radio3", len(listener.scores("radio3")) + 2)
        assert listener.scores("radio3")[-1].header["lost_samples"] > 0
